//! Rules as a table: a request, and what they say about it.

use crate::{
    Action, AddressPattern, Days, Decision, Facts, HeaderPattern, Hours, Network, Pattern, Place, Rule, Rules, Trunk,
    Trunks, When, Zone,
};
use engine::Now;
use sip_message::{Builder, HeaderName, Message, Transport, Uri};
use std::time::{Duration, SystemTime};

fn message(method: &str, from: &str, to: &str, field: Option<(&str, &str)>) -> Message {
    let mut builder = Builder::request(method, to)
        .header(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa")
        .header(HeaderName::MaxForwards, 70)
        .header(HeaderName::From, format!("<{from}>;tag=1"))
        .header(HeaderName::To, format!("<{to}>"))
        .header(HeaderName::CallId, "a")
        .header(HeaderName::CSeq, format!("1 {method}"));
    if let Some((name, value)) = field {
        builder = builder.field(name, value);
    }
    Message::parse(builder.finish()).unwrap()
}

/// A call at noon on a Friday from 100 to 200, both ours, but for what a test changes.
struct Call {
    method: &'static str,
    from: &'static str,
    to: &'static str,
    field: Option<(&'static str, &'static str)>,
    source: &'static str,
    transport: Transport,
    caller: Option<&'static str>,
    trunk: Option<&'static str>,
    at: &'static str,
    ours: bool,
    registered: Option<bool>,
}

const CALL: Call = Call {
    method: "INVITE",
    from: "sip:100@home.example",
    to: "sip:200@home.example",
    field: None,
    source: "192.0.2.1",
    transport: Transport::Udp,
    caller: Some("100"),
    trunk: None,
    at: "2026-11-20T12:00",
    ours: true,
    registered: None,
};

impl Call {
    fn with<T>(&self, look: impl FnOnce(&Facts<'_>) -> T) -> T {
        let message = message(self.method, self.from, self.to, self.field);
        let unix_s = berlin().moment(self.at).unwrap();
        look(&Facts {
            message: &message,
            from: Uri::parse(self.from).unwrap(),
            to: Uri::parse(self.to).unwrap(),
            source: self.source.parse().unwrap(),
            transport: self.transport,
            caller: self.caller,
            trunk: self.trunk,
            now: Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(unix_s), ..Now::read_clocks() },
            to_ours: self.ours,
            to_registered: self.registered,
        })
    }
}

fn berlin() -> Zone {
    Zone::parse("Europe/Berlin").unwrap()
}

fn rules(rules: Vec<Rule>) -> Rules {
    let trunk = |name: &str, to: &[&str]| Trunk {
        name: name.into(),
        to: to.iter().map(|uri| (*uri).to_owned()).collect(),
        ..Trunk::default()
    };
    let trunks = vec![trunk("a", &["sip:gw1.a:5070;transport=tcp", "sips:gw2.a"]), trunk("b", &["sip:b"])];
    Rules::new(rules, Trunks::new(trunks), berlin(), "home.example")
}

fn when(when: When) -> Rules {
    rules(vec![Rule { when, ..Rule::new(Action::User) }])
}

fn to(pattern: &str) -> Vec<AddressPattern> {
    vec![AddressPattern::parse(pattern).unwrap()]
}

fn places(all: &[&str]) -> Vec<Place> {
    all.iter().map(|place| Place::parse(place).unwrap()).collect()
}

/// What a rule with these conditions says to a call.
fn fits(conditions: When, call: &Call) -> Option<bool> {
    let rules = when(conditions);
    call.with(|facts| match rules.decide(facts) {
        Decision::Rule(_) => Some(true),
        Decision::None => Some(false),
        Decision::AskRegistered => None,
    })
}

#[test]
fn every_condition_lets_through_what_it_says() {
    let pattern = |text| vec![Pattern::parse(text).unwrap()];
    let table: Vec<(When, Call, Call)> = vec![
        (
            When { methods: vec!["MESSAGE".into(), "XYZZY".into()], ..When::default() },
            Call { method: "XYZZY", ..CALL },
            Call { method: "INVITE", ..CALL },
        ),
        (When { to: to("2??"), ..When::default() }, CALL, Call { to: "sip:300@home.example", ..CALL }),
        (
            When { to: to("+49*"), ..When::default() },
            Call { to: "tel:+49-(30)-1", ours: false, ..CALL },
            Call { to: "sip:+49-30-1@home.example;user=phone", ours: false, ..CALL },
        ),
        // A number means one of ours; with a host it is whoever it says.
        (When { to: to("*"), ..When::default() }, CALL, Call { ours: false, ..CALL }),
        (
            When { to: to("*@else.example"), ..When::default() },
            Call { to: "sip:a@Else.example:5080", ours: false, ..CALL },
            Call { to: "sip:a@else.example.org", ours: false, ..CALL },
        ),
        (
            When { from: to("1??"), ..When::default() },
            Call { from: "sip:123@anywhere", ..CALL },
            Call { from: "sip:a@b", ..CALL },
        ),
        (When { callers: pattern("10?"), ..When::default() }, CALL, Call { caller: None, ..CALL }),
        (When { callers: pattern("*"), ..When::default() }, CALL, Call { caller: None, ..CALL }),
        (
            When { trunks: pattern("a"), ..When::default() },
            Call { trunk: Some("a"), ..CALL },
            Call { trunk: Some("b"), ..CALL },
        ),
        (When { trunks: pattern("*"), ..When::default() }, Call { trunk: Some("a"), ..CALL }, CALL),
        (
            When { sources: vec![Network::parse("192.0.2.0/24").unwrap()], ..When::default() },
            CALL,
            Call { source: "198.51.100.1", ..CALL },
        ),
        (
            When { transports: vec![Transport::Udp], ..When::default() },
            CALL,
            Call { transport: Transport::Tls, ..CALL },
        ),
        (
            When { headers: vec![HeaderPattern::new("x-line", pattern("2*"))], ..When::default() },
            Call { field: Some(("X-Line", "21")), ..CALL },
            Call { field: Some(("X-Line", "12")), ..CALL },
        ),
        (
            When { headers: vec![HeaderPattern::new("s", pattern("urgent*"))], ..When::default() },
            Call { field: Some(("Subject", "URGENT: fire")), ..CALL },
            CALL,
        ),
        (
            When { days: Days::parse("mon-fri").unwrap(), ..When::default() },
            CALL,
            Call { at: "2026-11-21T12:00", ..CALL },
        ),
        (
            When { hours: vec![Hours::parse("08:00-18:00").unwrap()], ..When::default() },
            CALL,
            Call { at: "2026-11-20T18:00", ..CALL },
        ),
        (
            When { registered: Some(false), ..When::default() },
            Call { registered: Some(false), ..CALL },
            Call { registered: Some(true), ..CALL },
        ),
        // Whether somebody is registered elsewhere nobody knows.
        (
            When { registered: Some(false), ..When::default() },
            Call { registered: Some(false), ..CALL },
            Call { registered: Some(false), ours: false, ..CALL },
        ),
    ];
    for (at, (conditions, yes, no)) in table.into_iter().enumerate() {
        assert_eq!(fits(conditions.clone(), &yes), Some(true), "{at}: {conditions}");
        assert_eq!(fits(conditions.clone(), &no), Some(false), "{at}: {conditions}");
    }
}

#[test]
fn registered_is_asked_for_only_when_everything_else_holds() {
    let conditions = When { to: to("2??"), registered: Some(true), ..When::default() };
    assert_eq!(fits(conditions.clone(), &CALL), None);
    assert_eq!(fits(conditions, &Call { to: "sip:300@home.example", ..CALL }), Some(false));
    // An earlier rule that fits needs no such answer.
    let registered = When { registered: Some(true), ..When::default() };
    let both = rules(vec![Rule::new(Action::User), Rule { when: registered, ..Rule::new(Action::User) }]);
    assert!(CALL.with(|facts| matches!(both.decide(facts), Decision::Rule(rule) if rule.number == 1)));
}

#[test]
fn the_first_rule_that_fits_fires() {
    let rule = |pattern| Rule { when: When { to: to(pattern), ..When::default() }, ..Rule::new(Action::User) };
    let rules = rules(vec![rule("3*"), rule("20*"), rule("2*")]);
    let fired = |to| {
        Call { to, ..CALL }.with(|facts| match rules.decide(facts) {
            Decision::Rule(rule) => rule.number,
            _ => 0,
        })
    };
    assert_eq!(["sip:200@h", "sip:210@h", "sip:300@h", "sip:400@h"].map(fired), [2, 3, 1, 0]);
}

fn destinations(rule: Rule, call: &Call) -> Vec<String> {
    let rules = rules(vec![rule]);
    call.with(|facts| rules.destinations(&rules.as_slice()[0], facts).into_iter().map(|to| to.uri).collect())
}

#[test]
fn where_rules_lead() {
    let out = Call { to: "sip:0301234@home.example", ..CALL };
    let rule = |action, strip, prefix: &str| Rule { strip, prefix: prefix.into(), ..Rule::new(action) };
    let trunks = || Action::Trunk { names: vec!["b".into(), "gone".into(), "a".into()] };
    assert_eq!(
        destinations(rule(trunks(), 1, "+49"), &out),
        ["sip:+49301234@b", "sip:+49301234@gw1.a:5070;transport=tcp", "sips:+49301234@gw2.a"]
    );
    let fork = Action::Fork { to: places(&["100", "sip:{user}@{host}", "sip:x@y?", "sip:{from}@y"]) };
    assert_eq!(
        destinations(rule(fork, 0, ""), &out),
        ["sip:100@home.example", "sip:0301234@home.example", "sip:x@y?", "sip:100@y"]
    );
    assert_eq!(destinations(rule(Action::User, 4, "2"), &out), ["sip:2234@home.example"]);
    let tel = Call { to: "tel:+49-30-1", ours: false, ..CALL };
    assert_eq!(destinations(rule(Action::User, 3, ""), &tel), ["sip:301@home.example"]);
    // Nothing is left of the number.
    for action in [trunks(), Action::User, Action::Dial { to: places(&["sip:{user}@y"]) }] {
        assert!(destinations(rule(action.clone(), 9, ""), &out).is_empty());
        assert!(destinations(rule(action, 7, "+49"), &out).is_empty());
    }
    let stateless = |to: &[&str]| Action::Stateless { to: places(to).pop() };
    let foreign = Call { to: "sip:a@else.example;x=y", ours: false, ..CALL };
    assert_eq!(destinations(rule(stateless(&[]), 0, ""), &foreign), ["sip:a@else.example;x=y"]);
    assert_eq!(destinations(rule(stateless(&[]), 0, "b"), &foreign), ["sip:ba@else.example;x=y"]);
    assert_eq!(destinations(rule(stateless(&["100"]), 0, ""), &foreign), ["sip:100@home.example"]);
    assert!(destinations(rule(Action::Reject { status: 404, reason: None }, 0, ""), &out).is_empty());
}

/// RFC 3261 section 8.3: the values of q say the order.
#[test]
fn a_redirection_says_its_order() {
    let contacts = |to: &[&str]| {
        let rules = rules(vec![Rule::new(Action::Redirect { status: 300, to: places(to) })]);
        CALL.with(|facts| rules.contacts(&rules.as_slice()[0], facts))
    };
    assert_eq!(contacts(&["sip:a@b"]), ["<sip:a@b>"]);
    assert_eq!(
        contacts(&["sip:a@b", "100", "tel:+1"]),
        ["<sip:a@b>;q=1", "<sip:100@home.example>;q=0.666", "<tel:+1>;q=0.333"]
    );
}

#[test]
fn strangers_may_not_use_what_leads_out() {
    let stranger = Call { caller: None, ..CALL };
    let peer = Call { caller: None, trunk: Some("a"), ..CALL };
    for (action, open, is_for_strangers) in [
        (Action::Trunk { names: vec!["a".into()] }, false, false),
        (Action::Trunk { names: vec!["a".into()] }, true, true),
        (Action::Stateless { to: None }, false, false),
        (Action::Dial { to: places(&["100", "sip:a@b"]) }, false, false),
        (Action::Fork { to: places(&["100", "101"]) }, false, true),
        (Action::Serial { to: places(&["tel:+1"]), ring: Duration::from_secs(20) }, false, false),
        (Action::User, false, true),
        (Action::Redirect { status: 302, to: places(&["sip:a@b"]) }, false, true),
    ] {
        let rule = Rule { open, ..Rule::new(action) };
        assert_eq!(stranger.with(|facts| rule.is_for(facts)), is_for_strangers, "{rule}");
        assert!(CALL.with(|facts| rule.is_for(facts)), "{rule}");
        // From trunk to trunk leads only what says so.
        assert_eq!(peer.with(|facts| rule.is_for(facts)), is_for_strangers, "{rule}");
        let when = When { trunks: vec![Pattern::parse("a").unwrap()], ..When::default() };
        let spoken_of = Rule { when, ..rule };
        assert!(peer.with(|facts| spoken_of.is_for(facts)), "{spoken_of}");
    }
}

#[test]
fn a_rule_that_can_never_fire_is_found() {
    let hours = |text| vec![Hours::parse(text).unwrap()];
    let days = |text| Days::parse(text).unwrap();
    let invites = || vec!["INVITE".to_owned()];
    for (wide, narrow, is) in [
        (When::default(), When::default(), true),
        (When { to: to("0*"), ..When::default() }, When { to: to("00*"), methods: invites(), ..When::default() }, true),
        (When { to: to("00*"), ..When::default() }, When { to: to("0*"), ..When::default() }, false),
        (When { methods: invites(), ..When::default() }, When::default(), false),
        (
            When { registered: Some(true), ..When::default() },
            When { registered: Some(false), ..When::default() },
            false,
        ),
        (
            When { hours: hours("08:00-18:00"), ..When::default() },
            When { hours: hours("09:00-12:00"), days: days("mon"), ..When::default() },
            true,
        ),
        (When { days: days("mon-fri"), ..When::default() }, When { days: days("fri-sat"), ..When::default() }, false),
        // Friday's night reaches into Saturday.
        (
            When { days: days("fri"), ..When::default() },
            When { days: days("fri"), hours: hours("22:00-06:00"), ..When::default() },
            false,
        ),
        (
            When { days: days("fri-sat"), hours: hours("22:00-06:00"), ..When::default() },
            When { days: days("fri"), hours: hours("22:00-06:00"), ..When::default() },
            true,
        ),
    ] {
        let rule = |when| Rule { when, ..Rule::new(Action::User) };
        let words = format!("{wide} / {narrow}");
        let rules = rules(vec![rule(wide), rule(narrow)]);
        let found: Vec<_> = rules.shadowed().iter().map(|(later, earlier)| (later.number, earlier.number)).collect();
        assert_eq!(found, if is { vec![(2, 1)] } else { Vec::new() }, "{words}");
    }
}

#[test]
fn rules_say_what_they_do() {
    let rule = Rule {
        name: Some("outside".into()),
        when: When {
            methods: vec!["INVITE".into()],
            to: vec![AddressPattern::parse("0*").unwrap(), AddressPattern::parse("+49*").unwrap()],
            callers: vec![Pattern::parse("*").unwrap()],
            days: Days::parse("mon-fri").unwrap(),
            hours: vec![Hours::parse("08:00-18:00").unwrap()],
            registered: Some(false),
            ..When::default()
        },
        strip: 1,
        prefix: "+49".into(),
        limit: Some(crate::Limit::new(30, None)),
        ..Rule::new(Action::Trunk { names: vec!["a".into(), "b".into()] })
    };
    assert_eq!(
        rules(vec![rule]).as_slice()[0].to_string(),
        "route 1 (outside): INVITE to 0* or +49* by one of our users on mon-fri at 08:00-18:00 when that user is not registered \
         goes to trunk a or b where that does not work, without the number's first character and with +49 in front; \
         at most 30 a minute, 5 at once; for our users only"
    );
    for (action, words) in [
        (Action::Dial { to: places(&["100"]) }, "goes to 100"),
        (Action::Fork { to: places(&["100", "101", "102"]) }, "rings at 100, 101 and 102 at once"),
        (
            Action::Serial { to: places(&["100", "101"]), ring: Duration::from_secs(9) },
            "rings at 100, then 101, for 9 s each",
        ),
        (Action::Redirect { status: 302, to: places(&["sip:a@b"]) }, "is answered with 302 Moved Temporarily: sip:a@b"),
        (Action::Reject { status: 603, reason: None }, "is refused with 603 Decline"),
        (Action::Reject { status: 404, reason: Some("Nobody".into()) }, "is refused with 404 Nobody"),
    ] {
        assert_eq!(action.to_string(), words);
    }
}
