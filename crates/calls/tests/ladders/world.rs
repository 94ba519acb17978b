//! A ladder, line by line: what is shown to `Calls`, and below it, each behind `->`, exactly what must come of it.
//!
//!     alice INVITE                      a request of alice's to bob is let through; one of bob's goes to alice
//!     bob 180 tag=b                     a response of bob's comes; tag=b is what stands where nothing is said
//!     back 486                          a response goes back to alice
//!     sent bob INVITE                   a request of alice's is sent on to bob
//!     ops hang up 0.1                   the operator's wish; what follows the name is the reason
//!     +33s                              time passes
//!     -> started 0.1
//!
//! Words behind a message: call= (Call-ID, its number), tag= (of bob; `-` for none), cseq=, method= (of a response), contact=, branch=,
//! proof= (Proxy-Authorization; `_` for a space), se= (Session-Expires), to= (the callee's name), rr= (Record-Route, commas between the values; `us` stands for our own).

use calls::{Bye, CallRecord, Calls, Config, Event, Output, Users};
use engine::{Mac, Now, Rng};
use sip_message::{Builder, HeaderName, Message, Method, Transport};
use sip_proxy::{Dialog, RouteToken};
use sip_transaction::{Flow, Packet, ServerTransactionId, TransactionLayer};
use std::collections::HashMap;
use std::time::Duration;

/// Runs a ladder with the usual limits.
pub(crate) fn check(ladder: &str) -> World {
    let mut world = World::new(usual());
    world.run(ladder);
    world
}

/// The usual limits.
pub(crate) fn usual() -> Config {
    Config::new(0, Mac::from_key([1; 16]))
}

pub(crate) struct World {
    pub(crate) calls: Calls,
    pub(crate) now: Now,
    pub(crate) records: Vec<CallRecord>,
    /// Whether callers have proved who they are.
    pub(crate) known: bool,
    layer: TransactionLayer,
    mac: Mac,
    invites: HashMap<ServerTransactionId, String>,
}

/// One line's words `name=value`.
struct Words<'a>(HashMap<&'a str, &'a str>);

impl<'a> Words<'a> {
    fn get(&self, name: &str, usual: &'a str) -> &'a str {
        self.0.get(name).copied().unwrap_or(usual)
    }
}

impl World {
    pub(crate) fn new(config: Config) -> World {
        let mac = config.route_mac;
        let layer = TransactionLayer::new(sip_transaction::Config::new(0, Mac::from_key([2; 16])), Rng::from_u64(1));
        let calls = Calls::new(config, Rng::from_u64(2));
        World { calls, now: Now::read_clocks(), records: Vec::new(), known: true, layer, mac, invites: HashMap::new() }
    }

    pub(crate) fn run(&mut self, ladder: &str) {
        let lines: Vec<&str> = ladder.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let mut was = Vec::new();
        for line in lines.iter().filter(|line| !line.starts_with("->")) {
            was.push((*line).to_owned());
            self.input(line);
            while let Some(output) = self.calls.poll_output() {
                let words = self.words_of(output);
                was.push(format!("-> {words}"));
            }
        }
        assert_eq!(lines, was, "\nexpected\n  {}\nbut was\n  {}\n", lines.join("\n  "), was.join("\n  "));
    }

    fn input(&mut self, line: &str) {
        let (who, what) = line.split_once(' ').unwrap_or((line, ""));
        if let Some(seconds) = who.strip_prefix('+') {
            return self.pass(seconds.trim_end_matches('s').parse().expect("seconds"));
        }
        if who == "ops" {
            let (id, reason) =
                what.strip_prefix("hang up ").map(|rest| rest.split_once(' ').unwrap_or((rest, ""))).expect("hang up");
            return assert!(self.calls.hang_up(self.now, id.parse().expect("a name"), reason), "no such call");
        }
        if who == "sent" {
            return self.send(what);
        }
        let (what, words) = what.split_once(' ').unwrap_or((what, ""));
        let words = Words(words.split_whitespace().map(|word| word.split_once('=').expect("name=value")).collect());
        let message = self.message(who, what, &words);
        let packet = Packet { flow: flow(if who == "bob" { "bob" } else { "alice" }), message };
        self.calls.expect(who == "back");
        match what {
            _ if who == "back" => self.calls.handle_sent(self.now, &packet.flow, packet.message.bytes()),
            "INVITE" => {
                let id = self.transaction(&packet);
                self.invites.insert(id, words.get("call", "1").to_owned());
                let users = Users { caller: Some("alice"), callee: Some(words.get("to", "bob")), known: self.known };
                self.calls.handle_invite(self.now, id, &packet, users);
            }
            _ if packet.message.is_request() => self.calls.handle_request(self.now, &packet),
            _ => self.calls.handle_response(self.now, &packet),
        }
    }

    /// A request goes on to this end.
    fn send(&mut self, what: &str) {
        let (to, what) = what.split_once(' ').expect("to whom");
        let message = self.message(if to == "bob" { "alice" } else { "bob" }, what, &Words(HashMap::new()));
        self.calls.expect(true);
        self.calls.handle_sent(self.now, &flow(to), message.bytes());
    }

    /// Lets time pass; each timer fires when it is due.
    fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(due) = self.calls.poll_timeout().filter(|due| *due <= end.mono) {
            self.now = self.now + due.saturating_duration_since(self.now.mono);
            self.calls.handle_timeout(self.now);
        }
        self.now = end;
    }

    pub(crate) fn transaction(&mut self, packet: &Packet) -> ServerTransactionId {
        self.layer.handle_packet(self.now, packet.clone());
        loop {
            match self.layer.poll_output().expect("a transaction") {
                sip_transaction::Output::Event(sip_transaction::Event::Request { id, .. }) => return id,
                _ => continue,
            }
        }
    }

    /// A request as they send it.
    pub(crate) fn request(&self, who: &str, method: &str) -> Message {
        self.message(who, method, &Words(std::iter::empty().collect()))
    }

    fn message(&self, who: &str, what: &str, words: &Words<'_>) -> Message {
        let (request, status) = (what.parse::<u16>().is_err(), what.parse::<u16>().unwrap_or(0));
        let method = if request { what } else { words.get("method", "INVITE") };
        let begins = method == "CANCEL" || method == "INVITE" && request && !words.0.contains_key("tag");
        let begins = begins && who == "alice";
        let tag = match words.get("tag", if begins { "-" } else { "b" }) {
            "-" => String::new(),
            tag => format!(";tag={tag}"),
        };
        let alice = "\"Alice \\\"A\\\"\" <sip:alice@example.com>;tag=a".to_owned();
        let bob = format!("<sip:{}@example.com>{tag}", words.get("to", "bob"));
        // A response has the From of its request.
        let from_alice = if request { who == "alice" } else { who != "alice" };
        let (from, to) = if from_alice { (alice, bob) } else { (bob, alice) };
        let call = words.get("call", "1");
        let cseq = words.get("cseq", "1");
        let branch =
            words.get("branch", if request && method != "INVITE" && method != "CANCEL" { "other" } else { "1" });
        let via = format!("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{call}.{cseq}.{branch}");
        let mut builder = Builder::request(method, "sip:bob@example.com");
        if !request {
            let template = Builder::request(method, "sip:x").header(HeaderName::Via, &via);
            let template = fields(template, &from, &to, call, cseq, method).finish();
            let template = Message::parse(template).expect("well-formed");
            builder = Builder::reply(&template, status, flow("alice").remote);
        } else {
            builder = fields(builder.header(HeaderName::Via, via), &from, &to, call, cseq, method);
        }
        match words.get("contact", &format!("<sip:{who}@{}>", flow(who).remote)) {
            "-" => {}
            contact => builder = builder.header(HeaderName::Contact, contact),
        }
        if let Some(proof) = words.0.get("proof") {
            builder = builder.header(HeaderName::ProxyAuthorization, proof.replace('_', " "));
        }
        if let Some(seconds) = words.0.get("se") {
            builder = builder.header(HeaderName::SessionExpires, seconds);
        }
        let bare = Message::parse(builder.finish()).expect("well-formed");
        let Some(values) = words.0.get("rr") else { return bare };
        let mut edit = sip_message::Edit::new(&bare);
        for value in values.split(',') {
            let value = match value.strip_prefix("us") {
                Some(rest) => self.own_route(&bare, rest),
                None => format!("<sip:{value}>"),
            };
            edit = edit.append(HeaderName::RecordRoute, value);
        }
        Message::parse(edit.finish()).expect("well-formed")
    }

    /// Our own value: `us`, or `us:carol` for a pass whose callee side is carol.
    fn own_route(&self, message: &Message, rest: &str) -> String {
        let dialog = Dialog::of(message);
        let callee = flow(rest.strip_prefix(':').unwrap_or("bob"));
        let token = RouteToken::new(&self.mac, flow("alice"), callee, &dialog).write(&self.mac, &dialog);
        format!("<sip:{token}@10.0.0.100:5060;lr>")
    }

    fn words_of(&mut self, output: Output) -> String {
        match output {
            Output::Event(Event::Started(id)) => format!("started {id}"),
            Output::Event(Event::Answered(id)) => format!("answered {id}"),
            Output::Event(Event::Ended(record)) => {
                assert!(record.started <= record.ended && record.ended <= self.now.wall);
                assert_eq!(record.end.to_string().parse(), Ok(record.end));
                let words = format!("ended {} {:?}", record.id, record.end);
                self.records.push(*record);
                words
            }
            Output::GiveUp { invite, reason } if reason.is_empty() => format!("give up {}", self.invites[&invite]),
            Output::GiveUp { invite, reason } => format!("give up {} because {reason}", self.invites[&invite]),
            Output::Uncharge(seat) => format!("uncharge {seat}"),
            Output::Bye(bye) => words_of_bye(&bye),
        }
    }
}

fn fields(builder: Builder, from: &str, to: &str, call: &str, cseq: &str, method: &str) -> Builder {
    let builder = builder.header(HeaderName::From, from).header(HeaderName::To, to);
    builder.header(HeaderName::CallId, call).header(HeaderName::CSeq, format_args!("{cseq} {method}"))
}

fn words_of_bye(bye: &Bye) -> String {
    let via = "SIP/2.0/UDP 10.0.0.100;branch=z9hG4bKours";
    let request = Message::parse(bye.with_via(via)).expect("well-formed");
    assert_eq!((request.method(), request.max_forwards()), (Method::Bye, Ok(Some(70))));
    assert_eq!(request.values(HeaderName::Via).collect::<Vec<_>>(), [via]);
    assert_eq!((request.call_id(), request.cseq().expect("a CSeq").method), (&*bye.call_id, Method::Bye));
    let end = ["alice", "bob", "carol"].into_iter().find(|name| flow(name) == bye.flow).unwrap_or("nobody");
    let name = request.to().expect("a To").uri_parsed().expect("a URI").user.unwrap_or("");
    let tags = (request.from_tag().unwrap_or("-"), request.to_tag().unwrap_or("-"));
    let cseq = request.cseq().expect("a CSeq").number;
    let mut words = format!("bye {name} over {end}: {} {}>{} {cseq}", request.request_uri(), tags.0, tags.1);
    for route in request.values(HeaderName::Route) {
        words += &format!(" {route}");
    }
    for reason in request.fields(HeaderName::Reason) {
        words += &format!(" because {reason}");
    }
    words
}

/// The flow to an end.
pub(crate) fn flow(name: &str) -> Flow {
    let host = ["alice", "bob", "carol"].iter().position(|end| *end == name).map_or(9, |n| n as u8 + 1);
    Flow {
        transport: Transport::Udp,
        local: ([10, 0, 0, 100], 5060).into(),
        remote: ([10, 0, 0, host], 5060).into(),
        connection: None,
    }
}
