//! Whom an exchange tells to be known: the shell limits what others may send.
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod bench;

use bench::{drain, flow, outputs_from, request, server};
use engine::{Now, Rng};
use routing::{Rules, Trunk, Trunks, Zone};
use server::{Answer, Ask, Config, Domains, Event, Input, Output, Secrets, Server};
use sip_auth::{Credentials, NonceUse, answer};
use sip_message::Message;
use sip_transaction::Flow;

fn known(events: &[Event]) -> Vec<String> {
    let source = |event: &Event| match event {
        Event::Known { source } => Some(source.to_string()),
        _ => None,
    };
    events.iter().filter_map(source).collect()
}

#[test]
fn who_proves_who_they_are_is_known_and_who_does_not_is_not() {
    let (now, uri) = (Now::read_clocks(), "sip:a@example.org");
    for (password, expected) in [("right", vec![flow().remote.ip().to_string()]), ("wrong", vec![])] {
        let mut server = server(0, true);
        let (sent, events) = outputs_from(&mut server, now, flow(), &request("REGISTER", uri, uri, "1", ""));
        let [Output::Send { bytes, .. }] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(known(&events), [""; 0]);
        let challenge = Message::parse(bytes.clone()).unwrap();
        let credentials = Credentials::new("a", password);
        let mut rng = Rng::from_u64(1);
        let (_, value) =
            answer(&credentials, &challenge, "REGISTER", uri, b"", &mut NonceUse::default(), &mut rng).unwrap();
        let signed = request("REGISTER", uri, uri, "2", &format!("Authorization: {value}\r\n"));
        let (asked, _) = outputs_from(&mut server, now, flow(), &signed);
        let [Output::Ask(Ask::Credentials { ticket, .. })] = asked[..] else { panic!("{asked:?}") };
        let secrets = Some(Secrets::new("a", "example.org", "right"));
        server.handle_input(now, Input::Answer(Answer::Credentials { ticket, secrets, limits: None }));
        assert_eq!(known(&drain(&mut server).1), expected);
    }
}

#[test]
fn where_a_trunk_is_found_is_known() {
    let now = Now::read_clocks();
    let trunk = Trunk { name: "carrier".to_owned(), to: vec!["sip:gw.example.net".to_owned()], ..Trunk::default() };
    let rules = Rules::new(Vec::new(), Trunks::new(vec![trunk]), Zone::parse("UTC").unwrap(), "example.org");
    let domains = Domains::new(["example.org"], vec![5060]).unwrap();
    let config = Config::new(domains, bench::keys()).with_rules(rules, now);
    let mut server = Server::new(config, 0, Rng::from_u64(1));
    let (asked, _) = drain(&mut server);
    let [Output::Ask(Ask::Resolve { ticket, .. })] = asked[..] else { panic!("{asked:?}") };
    let found = Flow { remote: ([198, 51, 100, 7], 5060).into(), ..flow() };
    server.handle_input(now, Input::Answer(Answer::Resolved { ticket, flows: vec![found] }));
    assert_eq!(known(&drain(&mut server).1), ["198.51.100.7"]);
}
