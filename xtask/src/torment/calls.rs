//! Calls of which both ends are ours: those that both knew to be established must end properly, whatever happens to the exchange.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use engine::Rng;

use crate::peers::sip::{Text, in_dialog};

/// A BYE without an answer is sent again after this, then after twice that, and so on (timer E).
const AGAIN: Duration = Duration::from_millis(500);
/// Without an answer for so long, it has failed.
const BYE_MAX: Duration = Duration::from_secs(10);
/// An INVITE that leads to nothing is forgotten after this: it was sent to an exchange that is no more.
const INVITE_MAX: Duration = Duration::from_secs(3);
/// How long a call lasts, in milliseconds, if nothing happens.
const HOLD_MS: (u64, u64) = (50, 3000);

/// Which end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Caller,
    Callee,
}

/// What one end sends.
pub(crate) type Sent = (Side, Vec<u8>);

/// All of them, by Call-ID.
pub(crate) struct Calls {
    domain: String,
    caller: String,
    callee: String,
    callees: Vec<String>,
    calls: HashMap<String, Call>,
    begun: u64,
    pub(crate) tally: Tally,
}

/// What was seen.
#[derive(Default)]
pub(crate) struct Tally {
    /// Calls that both ends knew to be established.
    pub(crate) established: u64,
    /// Those of them that ended: the BYE reached the other end, and its 200 came back.
    pub(crate) ended: u64,
    /// Those that did not, and why.
    pub(crate) failed: u64,
    pub(crate) faults: Vec<String>,
    /// INVITEs that were refused, by status.
    pub(crate) refused: BTreeMap<u16, u64>,
}

struct Call {
    begun: Instant,
    /// When it is hung up, and by whom.
    until: Instant,
    hangs_up: Side,
    /// The BYE that each end would send, once its dialog is there.
    caller_bye: Option<Vec<u8>>,
    callee_bye: Option<Vec<u8>>,
    /// The ACK has come.
    confirmed: bool,
    bye: Option<Bye>,
}

struct Bye {
    first: Instant,
    last: Instant,
    wait: Duration,
    /// The other end has it.
    arrived: bool,
}

impl Call {
    fn established(&self) -> bool {
        self.caller_bye.is_some() && self.confirmed
    }
}

impl Calls {
    /// `callees` of `domain` are called in turns; the addresses are those of the two ends' sockets.
    pub(crate) fn new(domain: &str, caller: &str, callee: &str, callees: &[String]) -> Self {
        Self {
            domain: domain.to_owned(),
            caller: caller.to_owned(),
            callee: callee.to_owned(),
            callees: callees.to_vec(),
            calls: HashMap::new(),
            begun: 0,
            tally: Tally::default(),
        }
    }

    /// How many are established, with nobody hanging up yet.
    pub(crate) fn established(&self) -> usize {
        self.calls.values().filter(|call| call.established()).count()
    }

    /// An INVITE to the next callee.
    pub(crate) fn begin(&mut self, now: Instant, rng: &mut Rng) -> Sent {
        self.begun += 1;
        let Self { domain, caller, begun: number, .. } = self;
        let user = &self.callees[*number as usize % self.callees.len()];
        let id = format!("call-{number}@torment");
        let invite = format!(
            "INVITE sip:{user}@{domain} SIP/2.0\r\nVia: SIP/2.0/UDP {caller};rport;branch=z9hG4bKi{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:torment@torment.invalid>;tag=a{number}\r\nTo: <sip:{user}@{domain}>\r\nCall-ID: {id}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:torment@{caller}>\r\nContent-Length: 0\r\n\r\n"
        );
        let held = Duration::from_millis(HOLD_MS.0 + rng.below(HOLD_MS.1 - HOLD_MS.0));
        let hangs_up = if rng.below(2) == 0 { Side::Caller } else { Side::Callee };
        let call = Call {
            begun: now,
            until: now + held,
            hangs_up,
            caller_bye: None,
            callee_bye: None,
            confirmed: false,
            bye: None,
        };
        self.calls.insert(id, call);
        (Side::Caller, invite.into_bytes())
    }

    /// Whatever came to one end.
    pub(crate) fn handle(&mut self, now: Instant, side: Side, message: &Text<'_>) -> Vec<Sent> {
        let mut out = Vec::new();
        let id = message.call_id();
        let Some(call) = self.calls.get_mut(id) else { return out };
        let (caller, callee) = (&self.caller, &self.callee);
        match (side, message.status(), message.method()) {
            (Side::Callee, None, "INVITE") if call.callee_bye.is_none() => {
                let to = format!("{};tag=b", message.first("To").unwrap_or_default());
                let contact = format!("Contact: <sip:torment@{callee}>\r\n");
                for status in ["180 Ringing", "200 OK"] {
                    out.push((side, message.answer(status, "b", &contact).into_bytes()));
                }
                let routes = message.all("Record-Route").map(str::to_owned).collect::<Vec<_>>();
                let from = message.first("From").unwrap_or_default();
                let bye = in_dialog("BYE", callee, message.contact_uri(), &routes, (&to, from), id, 1);
                call.callee_bye = Some(bye);
            }
            (Side::Callee, None, "ACK") => {
                let before = call.established();
                call.confirmed = true;
                self.tally.established += u64::from(!before && call.established());
            }
            (Side::Caller, Some(200), "INVITE") => {
                let mut routes = message.all("Record-Route").map(str::to_owned).collect::<Vec<_>>();
                routes.reverse();
                let (from, to) = (message.first("From").unwrap_or_default(), message.first("To").unwrap_or_default());
                let write =
                    |method, number| in_dialog(method, caller, message.contact_uri(), &routes, (from, to), id, number);
                out.push((side, write("ACK", 1)));
                let before = call.established();
                call.caller_bye = Some(write("BYE", 2));
                self.tally.established += u64::from(!before && call.established());
            }
            (Side::Caller, Some(status), "INVITE") if status >= 300 => {
                *self.tally.refused.entry(status).or_default() += 1;
                self.calls.remove(id);
            }
            (_, None, "BYE") => {
                out.push((side, message.answer("200 OK", "", "").into_bytes()));
                if let Some(bye) = &mut call.bye {
                    bye.arrived = true;
                }
            }
            (_, Some(status), "BYE") if status >= 200 => {
                if let Some(call) = self.calls.remove(id) {
                    let arrived = call.bye.is_some_and(|bye| bye.arrived);
                    self.ended(
                        call.hangs_up,
                        status == 200 && arrived,
                        &format!("{status}, arrived: {arrived}"),
                        now - call.begun,
                    );
                }
            }
            _ => {}
        }
        out
    }

    fn ended(&mut self, hangs_up: Side, well: bool, how: &str, after: Duration) {
        if well {
            self.tally.ended += 1;
        } else {
            self.tally.failed += 1;
            self.tally.faults.push(format!("BYE of the {hangs_up:?}, {after:.1?} after its INVITE: {how}"));
        }
    }

    /// From now on all established calls are due to be hung up, and the others are forgotten: the exchange was killed.
    pub(crate) fn hang_up_all(&mut self, now: Instant) {
        self.calls.retain(|_, call| call.established());
        for call in self.calls.values_mut() {
            call.until = now;
            // One that was under way when the exchange died has all its time again.
            if let Some(bye) = &mut call.bye {
                (bye.first, bye.last, bye.wait) = (now, now, AGAIN);
            }
        }
    }

    /// BYEs that are due, and those to be sent again.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Sent> {
        let (mut out, mut given_up) = (Vec::new(), Vec::new());
        for (id, call) in &mut self.calls {
            if !call.established() {
                if now.saturating_duration_since(call.begun) > INVITE_MAX {
                    given_up.push(id.clone());
                }
                continue;
            }
            let bytes = match call.hangs_up {
                Side::Caller => &call.caller_bye,
                Side::Callee => &call.callee_bye,
            };
            let Some(bytes) = bytes else { continue };
            match &mut call.bye {
                None if now >= call.until => {
                    call.bye = Some(Bye { first: now, last: now, wait: AGAIN, arrived: false });
                    out.push((call.hangs_up, bytes.clone()));
                }
                Some(bye) if now.saturating_duration_since(bye.first) > BYE_MAX => given_up.push(id.clone()),
                Some(bye) if now.saturating_duration_since(bye.last) > bye.wait => {
                    (bye.last, bye.wait) = (now, bye.wait * 2);
                    out.push((call.hangs_up, bytes.clone()));
                }
                _ => {}
            }
        }
        for id in given_up {
            if let Some(Call { bye: Some(bye), hangs_up, begun, .. }) = self.calls.remove(&id) {
                self.ended(hangs_up, false, &format!("no answer, arrived: {}", bye.arrived), now - begun);
            }
        }
        out
    }
}
