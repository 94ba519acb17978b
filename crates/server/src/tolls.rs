//! Toll fraud: what calls that leave the exchange may come to, for whoever pays: the caller, or who has had them forwarded.

use crate::identity::Caller;
use crate::targets::{Asking, Origin};
use crate::{Event, Output, Server};
use engine::Now;
use routing::{Limits, Seat};
use sip_message::{HeaderName, Method, Uri};
use sip_proxy::{Hop, Payer, Target};
use sip_transaction::{Packet, ServerTransactionId};
use std::sync::Arc;

/// A limit that is reached: whose, and what to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excess {
    user: Box<str>,
    why: String,
}

/// When to try again, for whom there are no more calls: at a time, and within an hour.
const RETRY_CALLS_S: u32 = 60;
const RETRY_HOUR_S: u32 = 300;

impl Server {
    /// Takes away those of a call's targets outside that its payer may not call, and writes on the others who pays. `to` is what was
    /// dialled.
    pub(crate) fn within_limits(&self, asking: Asking<'_>, to: &str, targets: &mut Vec<Target>) -> Result<(), Excess> {
        let Caller::User(user, own) = asking.payer else { return Ok(()) };
        if !begins_call(asking.packet) {
            return Ok(());
        }
        let limits = own.as_deref().unwrap_or(&self.config.limits);
        let allowed = Uri::parse(to).is_ok_and(|uri| limits.allow(&uri));
        let may = |target: &Target| allowed || !self.leads_out(target, asking.packet);
        let before = targets.len();
        targets.retain(may);
        if targets.is_empty() && before > 0 {
            let why = format!("{} may not call {to}", user.user());
            return Err(Excess { user: user.user().into(), why });
        }
        let Limits { calls, calls_per_hour, .. } = *limits;
        let payer = Arc::new(Payer { name: user.user().into(), calls, calls_per_hour });
        for target in targets {
            target.fallbacks.retain(may);
            target.fallbacks.iter_mut().for_each(|fallback| fallback.payer = Some(payer.clone()));
            target.payer = Some(payer.clone());
        }
        Ok(())
    }

    fn leads_out(&self, target: &Target, packet: &Packet) -> bool {
        let uri = target.uri.as_deref().and_then(|uri| Uri::parse(uri).ok());
        target.hop == Hop::Resolve && uri.is_none_or(|uri| self.user_of(&uri, packet).is_none())
    }

    /// A call is about to leave the exchange: it counts for its payer. When they have no more, the place is answered for, and `false`.
    pub(crate) fn charge(&mut self, now: Now, ticket: u64, id: ServerTransactionId, payer: &Payer) -> bool {
        let Some(packet) = self.layer.request_of(id).filter(|packet| begins_call(packet)) else { return true };
        let tally = &self.config.tally;
        let number = self.config.keys.shard.of(&[b"payer", payer.name.as_bytes()]) as u64;
        let take = || tally.take(now, number, payer.calls, payer.calls_per_hour).map(|seat| seat.0);
        let charged = self
            .calls
            .as_mut()
            .and_then(|calls| calls.charge(&packet.message, id, number, take, routing::Excess::Calls));
        // What nobody watches counts when it begins, and no longer.
        let charged = charged.unwrap_or_else(|| take().map(|seat| tally.give_back(Seat(seat))));
        let Err(excess) = charged else { return true };
        let name = &payer.name;
        let (why, text, retry_s) = match excess {
            routing::Excess::Calls => {
                (format!("{name} has as many calls as they may have at a time"), "Too Many Calls", RETRY_CALLS_S)
            }
            routing::Excess::CallsPerHour => {
                (format!("{name} has no more calls left this hour"), "Too Many Calls This Hour", RETRY_HOUR_S)
            }
        };
        let reply = self
            .reply(packet, 503)
            .reason(text)
            .header(HeaderName::RetryAfter, retry_s)
            .header(HeaderName::Reason, format_args!("SIP;cause=503;text=\"{text}\""));
        let reply = reply.finish();
        if let (Some(calls), Some(packet)) = (&mut self.calls, self.layer.request_of(id)) {
            calls.explain(&packet.message, 503, &why);
        }
        self.outputs.push_back(Output::Event(Event::OverLimit { user: name.clone().into(), why }));
        self.proxy.handle_forbidden(now, &mut self.layer, ticket, 503, reply);
        false
    }

    /// A call is refused since its payer may not go there.
    pub(crate) fn refuse_excess(&mut self, now: Now, origin: Origin, Excess { user, why }: Excess) {
        const TEXT: &str = "Destination Not Allowed";
        if let Some(packet) = self.packet_of(&origin) {
            let reply = self.reply(packet, 403).reason(TEXT);
            let reply = reply.header(HeaderName::Reason, format_args!("SIP;cause=403;text=\"{TEXT}\""));
            if let (Some(calls), Some(id)) = (&mut self.calls, origin.transaction())
                && let Some(packet) = self.layer.request_of(id)
            {
                calls.explain(&packet.message, 403, &why);
            }
            self.outputs.push_back(Output::Event(Event::OverLimit { user: user.into(), why }));
            self.answer(now, origin, 403, reply);
        }
    }
}

/// Whether a request that is led by rules or bindings begins a call. With a To tag, too: inside a dialog of ours it would have our Route,
/// which leads it past both, and a tag is quickly invented.
fn begins_call(packet: &Packet) -> bool {
    packet.message.method() == Method::Invite
}
