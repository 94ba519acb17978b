//! `[[trunk]]`, `[[route]]` and `forward = {}`: what is typed arrives, and what is wrong shows its line.

use super::tests::{read, wrong};
use routing::{Action, Place};
use std::time::Duration;

const TRUNK: &str = "[[trunk]]\nname = \"a\"\nto = \"sip:gw.a\"\n";

#[test]
fn trunks_arrive() {
    let config = read(
        r#"
        [[trunk]]
        name = "carrier"
        to = ["sips:gw1.example.net:5061", "sip:gw2.example.net;transport=tcp"]
        from = ["192.0.2.0/24", "2001:db8::7"]
        names = ["gw.example.net"]
        trust_identity = true
        [[trunk]]
        name = "in"
        from = "10.0.0.1"
        "#,
    )
    .unwrap();
    let trunks = config.rules.trunks();
    let carrier = trunks.get("carrier").unwrap();
    assert_eq!((carrier.to.len(), carrier.from.len(), &carrier.names[..]), (2, 2, &["gw.example.net".to_owned()][..]));
    assert!(carrier.trust_identity && !trunks.get("in").unwrap().trust_identity);
    assert_eq!(trunks.find("10.0.0.1".parse().unwrap(), &[]).unwrap().name, "in");
}

#[test]
fn routes_arrive() {
    let text = r#"
        [[route]]
        name = "all of it"
        when = { method = ["INVITE", "MESSAGE"], to = ["0*", '\*97'], from = "1??", caller = "10?", trunk = "*", source = ["10.0.0.0/8"],
                 transport = "TLS", header = { "X-Line" = "2*", subject = ["a", "b"] }, days = ["mon-fri", "sun"],
                 time = ["08:00-12:00", "13:00-18:00"], registered = false }
        do = "trunk"
        to = ["a"]
        strip = 1
        prefix = "+49"
        limit = { per_minute = 30, burst = 3 }
        open = true
        [[route]]
        do = "serial"
        to = ["100", "sip:{user}@vm.example"]
        ring_s = 9
        [[route]]
        do = "redirect"
        to = "sip:a@b"
        [[route]]
        do = "redirect"
        status = 300
        to = ["sip:a@b", "sip:c@d"]
        [[route]]
        do = "reject"
        [[route]]
        do = "reject"
        status = 603
        reason = "No, thanks"
        [[route]]
        do = "user"
        strip = 2
        [[route]]
        do = "stateless"
        [[route]]
        do = "dial"
        to = "100"
        [[route]]
        do = "fork"
        to = ["100", "101"]
    "#;
    let config = read(&format!("{TRUNK}{text}")).unwrap();
    let rules = config.rules.as_slice();
    assert_eq!(
        rules[0].to_string(),
        r"route 1 (all of it): INVITE or MESSAGE to 0* or \*97 from 1?? by user 10? through a trunk sent from 10.0.0.0/8 over TLS with X-Line: 2* and Subject: a or b on mon-fri, sun at 08:00-12:00 or 13:00-18:00 when that user is not registered goes to trunk a, without the number's first character and with +49 in front; at most 30 a minute, 3 at once; open to everybody"
    );
    let places = |texts: &[&str]| texts.iter().map(|text| Place::parse(text).unwrap()).collect::<Vec<_>>();
    let actions: Vec<Action> = rules[1..].iter().map(|rule| rule.action.clone()).collect();
    assert_eq!(
        actions,
        [
            Action::Serial { to: places(&["100", "sip:{user}@vm.example"]), ring: Duration::from_secs(9) },
            Action::Redirect { status: 302, to: places(&["sip:a@b"]) },
            Action::Redirect { status: 300, to: places(&["sip:a@b", "sip:c@d"]) },
            Action::Reject { status: 403, reason: None },
            Action::Reject { status: 603, reason: Some("No, thanks".into()) },
            Action::User,
            Action::Stateless { to: None },
            Action::Dial { to: places(&["100"]) },
            Action::Fork { to: places(&["100", "101"]) },
        ]
    );
    assert_eq!((rules[6].strip, rules[6].number), (2, 7));
}

#[test]
fn forwards_arrive() {
    let config = read(
        r#"
        [[user]]
        name = "100"
        password = "x"
        forward = { busy = "101", no_answer = "sip:{user}@vm.example", no_answer_after_s = 12 }
        "#,
    )
    .unwrap();
    let forwards = &config.users[0].forwards;
    let places: Vec<_> = forwards.places().map(|(when, place)| (when, place.as_str())).collect();
    assert_eq!(places, [("busy", "101"), ("no_answer", "sip:{user}@vm.example")]);
    assert_eq!(forwards.no_answer_after_s, 12);
}

#[test]
fn wrong_trunks_show_their_line() {
    for (text, line, said) in [
        ("[[trunk]]\nto = \"sip:a\"", "1 | [[trunk]]", "add name"),
        ("[[trunk]]\nname = \"a\"", "1 | [[trunk]]", "leads nowhere, and nothing comes from it"),
        ("[[trunk]]\nname = \"a*\"\nto = \"sip:a\"", "2 | name", "cannot be a trunk's name"),
        ("[[trunk]]\nname = \"a\"\nto = \"gw.example\"", "3 | to", "a SIP URI without a user"),
        ("[[trunk]]\nname = \"a\"\nto = \"sip:u@gw.example\"", "3 | to", "a SIP URI without a user"),
        ("[[trunk]]\nname = \"a\"\nto = \"tel:+1\"", "3 | to", "a SIP URI without a user"),
        ("[[trunk]]\nname = \"a\"\nfrom = [\"10.0.0.1/8\"]", "3 | from", "the first address of the network"),
        ("[[trunk]]\nname = \"a\"\nfrom = []", "3 | from", "is an empty list"),
        ("[[trunk]]\nname = \"a\"\nfrom = \"1.2.3.4\"\nnames = \"a b\"", "4 | names", "a host name"),
        ("[[trunk]]\nname = \"a\"\nto = \"sip:a\"\ntrusted = true", "4 | trusted", "unknown key `trusted` of a trunk"),
        ("trunk = [{name = \"a\", to = \"sip:a\"}, {name = \"a\", to = \"sip:b\"}]", "1 | trunk", "is there twice"),
        ("[trunk]\nname = \"a\"", "1 | [trunk]", "a list in [ ] is needed"),
    ] {
        let shown = wrong(text);
        assert!(shown.contains(line) && shown.contains(said) && shown.contains('^'), "{text}\n{shown}");
    }
}

#[test]
fn wrong_routes_show_their_line() {
    let route = |lines: &str| format!("{TRUNK}[[route]]\n{lines}");
    for (lines, line, said) in [
        ("to = \"100\"", "4 | [[route]]", "add do"),
        ("do = \"dail\"\nto = \"100\"", "5 | do", "did you mean \"dial\"?"),
        ("do = \"bananas\"", "5 | do", "there are dial, fork,"),
        ("do = \"dial\"", "5 | do", "add to"),
        ("do = \"dial\"\nto = []", "6 | to", "is an empty list"),
        ("do = \"dial\"\nto = [\"a@b\"]", "6 | to", "sip: in front"),
        ("do = \"dial\"\nto = [\"sip:{number}@b\"]", "6 | to", "{user}, {host}, {from} are filled in"),
        ("do = \"dial\"\nto = 5", "6 | to", "a text in quotes, or a list of them"),
        ("do = \"dial\"\nto = \"100\"\nring_s = 5", "7 | ring_s", "means nothing with do = \"dial\""),
        ("do = \"dial\"\nto = \"100\"\nstrip = 1", "7 | strip", "`to` has no number in it"),
        ("do = \"serial\"\nto = \"100\"\nring_s = 181", "7 | ring_s", "from 1 to 180"),
        ("do = \"trunk\"\nto = \"b\"", "6 | to", "the name of a [[trunk]], such as \"a\", is needed"),
        ("do = \"trunk\"\nto = \"a\"\nstrip = -1", "7 | strip", "from 0 to 64"),
        ("do = \"trunk\"\nto = \"a\"\nprefix = \"a b\"", "7 | prefix", "digits, + and letters"),
        ("do = \"redirect\"\nto = \"100\"\nstatus = 304", "7 | status", "300, 301, 302, 305 or 380"),
        ("do = \"redirect\"\nto = \"100\"\nstatus = 404", "7 | status", "from 300 to 399"),
        ("do = \"reject\"\nstatus = 302", "6 | status", "from 400 to 699"),
        ("do = \"reject\"\nreason = \"a\\nb\"", "6 | reason", "one line"),
        ("do = \"reject\"\nto = \"100\"", "6 | to", "means nothing with do = \"reject\""),
        ("do = \"stateless\"\nto = [\"100\", \"101\"]", "6 | to", "name one"),
        ("do = \"user\"\nopen = true", "6 | open", "means nothing"),
        ("do = \"user\"\nlimit = { burst = 1 }", "6 | limit", "limit has no per_minute"),
        ("do = \"user\"\nlimit = { per_minute = 0 }", "6 | limit", "from 1 to 1000000"),
        ("do = \"user\"\nlimit = { per_minit = 1, per_minute = 1 }", "6 | limit", "did you mean `per_minute`?"),
        ("do = \"user\"\nwhen = \"100\"", "6 | when", "a table is needed here"),
        ("do = \"user\"\nwhen = { too = \"100\" }", "6 | when", "did you mean `to`?"),
        ("do = \"user\"\nwhen = { to = \"sip:100@a\" }", "6 | when", "without the scheme"),
        ("do = \"user\"\nwhen = { to = \"\" }", "6 | when", "* stands for anything"),
        ("do = \"user\"\nwhen = { method = \"invite\" }", "6 | when", "INVITE, in capitals, is needed"),
        ("do = \"user\"\nwhen = { method = \"ACK\" }", "6 | when", "no rule is asked"),
        ("do = \"user\"\nwhen = { source = \"a.b\" }", "6 | when", "an address or a network"),
        ("do = \"user\"\nwhen = { transport = \"sctp\" }", "6 | when", "udp, tcp, tls, ws or wss"),
        ("do = \"user\"\nwhen = { trunk = \"b?\" }", "6 | when", "the name of a [[trunk]]"),
        ("do = \"user\"\nwhen = { header = \"X\" }", "6 | when", "{ \"X-Line\" = \"2*\" }"),
        ("do = \"user\"\nwhen = { header = { \"a b\" = \"c\" } }", "6 | when", "the name of a header field"),
        ("do = \"user\"\nwhen = { days = \"weekend\" }", "6 | when", "\"mon-fri\""),
        ("do = \"user\"\nwhen = { time = \"8-18\" }", "6 | when", "\"08:00-18:00\""),
        ("do = \"user\"\nwhen = { registered = \"no\" }", "6 | when", "true or false"),
        ("doo = \"user\"\ndo = \"user\"", "5 | doo", "did you mean `do`?"),
    ] {
        let shown = wrong(&route(lines));
        assert!(shown.contains(line) && shown.contains(said) && shown.contains('^'), "{lines}\n{shown}");
    }
}

#[test]
fn a_route_has_no_more_places_than_the_proxy_tries() {
    let fork = |places: usize| format!("[[route]]\ndo = \"fork\"\nto = {:?}", vec!["100"; places]);
    assert!(read(&fork(routing::PLACES_MAX)).is_ok());
    assert!(wrong(&fork(routing::PLACES_MAX + 1)).contains("20 is the most"));
}

#[test]
fn wrong_forwards_show_their_line() {
    for (forward, said) in [
        ("\"101\"", "a table is needed here"),
        ("{ busy = \"100\" }", "calls to 100 would go to 100"),
        ("{ busy = \"101@b\" }", "sip: in front"),
        ("{ bussy = \"101\" }", "did you mean `busy`?"),
        ("{ busy = \"101\", no_answer_after_s = 5 }", "add no_answer"),
        ("{ no_answer = \"101\", no_answer_after_s = 0 }", "from 1 to 180"),
    ] {
        let shown = wrong(&format!("[[user]]\nname = \"100\"\npassword = \"x\"\nforward = {forward}"));
        assert!(shown.contains("4 | forward") && shown.contains(said), "{forward}\n{shown}");
    }
}
