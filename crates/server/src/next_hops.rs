//! Where the targets of requests are: with a user of ours, or somewhere that the shell finds.

use crate::identity::Caller;
use crate::targets::{Aim, Asking, Phones};
use crate::{Ask, Event, Output, Server};
use engine::Now;
use sip_message::{NextHop, Scheme, Transport, Uri};
use sip_proxy::{NamedBy, Payer};
use sip_transaction::{Flow, ServerTransactionId};

/// Addresses that trunks were found at which one shard remembers; names that lead to further ones are not known as theirs.
pub const TRUNK_ADDRESSES_MAX: usize = 1024;

/// A host that is being looked up.
#[derive(Debug)]
pub(crate) struct Asked {
    host: String,
    named_by: NamedBy,
}

/// What tells the tickets of these lookups from all others.
const TRUNKS: u64 = 1 << 62;

impl Server {
    /// Looks up where the trunks are, so that no other name of theirs is a way around the dial rules.
    pub(crate) fn locate_trunks(&mut self) {
        for uri in self.config.rules.trunks().as_slice().iter().flat_map(|trunk| &trunk.to) {
            if let Some(next_hop) = Uri::parse(uri).ok().and_then(|uri| NextHop::of(&uri)) {
                self.outputs.push_back(Output::Ask(Ask::Resolve { ticket: TRUNKS, next_hop, steady: false }));
            }
        }
    }

    fn remember_trunk(&mut self, flows: &[Flow]) {
        let room = TRUNK_ADDRESSES_MAX.saturating_sub(self.trunk_addresses.len());
        self.outputs.extend(flows.iter().map(|flow| Output::Event(Event::Known { source: flow.remote.ip() })));
        self.trunk_addresses.extend(flows.iter().take(room).map(|flow| (flow.remote.ip().to_canonical(), ())));
    }

    pub(crate) fn handle_proxy_ask(&mut self, now: Now, ask: sip_proxy::Ask) {
        let sip_proxy::Ask::Resolve { ticket, id, uri, named_by, payer } = ask;
        let payer = payer.as_deref();
        match named_by {
            NamedBy::Parent | NamedBy::Request => self.resolve(now, (ticket, id), &uri, named_by, payer),
            NamedBy::Redirection => self.follow_redirection(now, (ticket, id), &uri, payer),
            NamedBy::Dialog => self.find_phone_again(now, ticket, id),
        }
    }

    /// Whom a dialog is with has a connection to us no more that they had: the one they have now, if they are registered over it with the
    /// contact that they have in the dialog. Nobody else is to be had by a request that nobody has proved to have sent.
    fn find_phone_again(&mut self, now: Now, ticket: u64, id: ServerTransactionId) {
        let user = self.layer.request_of(id).and_then(|packet| {
            let uri = packet.message.to().ok()?.uri_parsed().ok()?;
            self.user_of(&uri, packet)
        });
        match user {
            Some(aor) => self.expand(now, id, ticket, aor, Phones::AtRequestUri),
            None => self.find_nothing(now, ticket),
        }
    }

    /// Whoever redirects has no more rights than a stranger: dial rules apply as to a request for that URI from anybody.
    fn follow_redirection(
        &mut self,
        now: Now,
        (ticket, id): (u64, ServerTransactionId),
        uri: &str,
        payer: Option<&Payer>,
    ) {
        let Some(packet) = self.layer.request_of(id) else { return self.find_nothing(now, ticket) };
        let asking = Asking { packet, caller: &Caller::Unproved, payer: &Caller::Unproved, counts: true };
        match self.aim(now, asking, uri, None) {
            Aim::User(aor) | Aim::UserOrRule(aor) => self.expand(now, id, ticket, aor, Phones::All),
            Aim::Phone(gruu) => self.expand(now, id, ticket, gruu.aor.clone(), Phones::One(gruu)),
            // Away from here only in the name of somebody who is known.
            Aim::Targets(set) if set.targets.iter().all(|target| target.named_by == NamedBy::Request) => {
                if self.proxy.is_proved(id) || !self.config.auth_required {
                    self.resolve(now, (ticket, id), uri, NamedBy::Request, payer);
                } else {
                    self.find_nothing(now, ticket);
                }
            }
            Aim::Targets(set) => self.proxy.handle_expanded(now, &mut self.layer, ticket, set.targets),
            Aim::Stateless(_) | Aim::Redirect { .. } | Aim::Refuse { .. } | Aim::Exceeded(_) => {
                self.find_nothing(now, ticket)
            }
        }
    }

    fn resolve(
        &mut self,
        now: Now,
        (ticket, id): (u64, ServerTransactionId),
        uri: &str,
        named_by: NamedBy,
        payer: Option<&Payer>,
    ) {
        let Some(packet) = self.layer.request_of(id) else { return self.find_nothing(now, ticket) };
        let Ok(uri) = Uri::parse(uri) else { return self.find_nothing(now, ticket) };
        // A `tel:` URI in a Route leads nowhere; as a target it was looked up before.
        if uri.scheme != Scheme::Tel
            && let Some(aor) = self.user_of(&uri, packet)
        {
            let gruu = uri.param("gr").and_then(|_| self.config.keys.gruus.resolve(&uri, |_| Some(aor.clone())));
            return self.expand(now, id, ticket, aor, gruu.map_or(Phones::All, |gruu| Phones::One(Box::new(gruu))));
        }
        match NextHop::of(&uri).filter(|next_hop| self.may_go_to(&uri, next_hop, named_by)) {
            Some(next_hop) => {
                if payer.is_some_and(|payer| !self.charge(now, ticket, id, payer)) {
                    return;
                }
                if !self.aliases.is_empty() || !self.config.rules.trunks().as_slice().is_empty() {
                    self.asked.insert(ticket, Asked { host: next_hop.host.clone(), named_by });
                }
                self.begin_to_wait(now.mono);
                self.outputs.push_back(Output::Ask(Ask::Resolve { ticket, next_hop, steady: false }));
            }
            None => self.find_nothing(now, ticket),
        }
    }

    /// Whether a request may go there at all: over a transport that we open, and to a trunk only where a dial rule says so, whoever
    /// writes the trunk's name where.
    pub(crate) fn may_go_to(&self, uri: &Uri<'_>, next_hop: &NextHop, named_by: NamedBy) -> bool {
        let transport = next_hop.default_transport();
        let opened = !matches!(transport, Transport::Ws | Transport::Wss);
        opened
            && (self.config.tls || !transport.is_secure())
            && (named_by == NamedBy::Parent || !self.config.rules.trunks().are_at(uri))
    }

    /// Takes away the flows to trunks that go by another name, and has others go over connections that their hosts hold to us.
    pub(crate) fn examine_flows(&mut self, ticket: u64, flows: &mut Vec<Flow>) {
        if ticket == TRUNKS {
            return self.remember_trunk(flows);
        }
        let Some(Asked { host, named_by }) = self.asked.remove(&ticket) else { return };
        if named_by != NamedBy::Parent {
            flows.retain(|flow| !self.leads_to_trunk(flow));
        } else if self.config.rules.trunks().are_called(&host) {
            self.remember_trunk(flows);
        }
        self.use_aliases(&host, flows);
    }

    /// Whether a trunk is at the other end, by what the rules say or by what DNS has said.
    pub(crate) fn leads_to_trunk(&self, flow: &Flow) -> bool {
        let ip = flow.remote.ip().to_canonical();
        self.trunk_addresses.contains_key(&ip) || self.config.rules.trunks().send_from(ip)
    }

    fn find_nothing(&mut self, now: Now, ticket: u64) {
        self.proxy.handle_resolved(now, &mut self.layer, ticket, Vec::new());
    }
}
