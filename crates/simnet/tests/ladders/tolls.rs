//! What users' calls out of the exchange may come to.

use routing::{Action, AddressPattern, Limits, Rule, Rules, Trunk, Trunks, When, Zone};
use server::Config;
use simnet::check_with;

/// Numbers that begin with 0 go to a carrier.
fn with_limits(config: &mut Config, limits: Limits) {
    let carrier = Trunk { name: "carrier".to_owned(), to: vec!["sip:gw.carrier.test".to_owned()], ..Trunk::default() };
    let to = vec![AddressPattern::parse("0*").expect("a pattern")];
    let out =
        Rule { when: When { to, ..When::default() }, ..Rule::new(Action::Trunk { names: vec!["carrier".to_owned()] }) };
    let rules = Rules::new(vec![out], Trunks::new(vec![carrier]), Zone::utc(), "example.org");
    *config = Config { limits, ..config.clone() }.with_rules(rules, engine::Now::read_clocks());
}

#[test]
fn a_user_has_so_many_calls_outside_at_a_time() {
    check_with(
        |config| with_limits(config, Limits { calls: 1, ..Limits::default() }),
        "given host:gw.carrier.test is gateway, bob registered
         alice -> exchange     INVITE sip:030123@example.org
         exchange -> gateway   INVITE
         gateway -> exchange   200
         exchange -> alice     200
         alice -> exchange     ACK
         exchange -> gateway   ACK
         alice2 -> exchange    INVITE sip:030456@example.org
         exchange -> alice2    503
             Reason-Phrase: Too Many Calls
             Retry-After: 60
             Reason: SIP;cause=503;text=\"Too Many Calls\"
         alice2 -> exchange    ACK
         exchange tells alice has as many calls as they may have at a time
         exchange tells alice has as many calls as they may have at a time
         # Inside the exchange, and for others, there is no such limit.
         alice2 -> exchange    INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       486
         exchange -> bob       ACK
         exchange -> alice2    486
         alice2 -> exchange    ACK
         exchange tells bob is busy
         carol -> exchange     INVITE sip:030123@example.org
         exchange -> gateway   INVITE
         gateway -> exchange   486
         exchange -> gateway   ACK
         exchange -> carol     486
         carol -> exchange     ACK
         exchange tells 030123 is busy
         # What is over leaves room.
         alice -> exchange     BYE
         exchange -> gateway   BYE
         gateway -> exchange   200
         exchange -> alice     200
         exchange tells alice hung up after 0 s
         alice2 -> exchange    INVITE sip:030456@example.org
         exchange -> gateway   INVITE
         gateway -> exchange   486
         exchange -> gateway   ACK
         exchange -> alice2    486
         alice2 -> exchange    ACK
         exchange tells 030456 is busy",
    );
}

#[test]
fn a_user_begins_so_many_calls_outside_within_an_hour() {
    let refused = "gateway -> exchange   486
         exchange -> gateway   ACK
         exchange -> alice     486
         alice -> exchange     ACK
         exchange tells 030123 is busy";
    let call = format!("alice -> exchange INVITE sip:030123@example.org\n exchange -> gateway INVITE\n{refused}");
    check_with(
        |config| with_limits(config, Limits { calls_per_hour: 2, ..Limits::default() }),
        &format!(
            "given host:gw.carrier.test is gateway
             {call}
             {call}
             alice -> exchange     INVITE sip:030123@example.org
             exchange -> alice     503
                 Retry-After: 300
                 Reason: SIP;cause=503;text=\"Too Many Calls This Hour\"
             alice -> exchange     ACK
             exchange tells alice has no more calls left this hour
             exchange tells alice has no more calls left this hour
             +3601s
             {call}"
        ),
    );
}

#[test]
fn a_user_calls_certain_places_only() {
    check_with(
        |config| {
            let destinations = vec![AddressPattern::parse("030*").expect("a pattern")];
            with_limits(config, Limits { destinations, ..Limits::default() });
        },
        "given host:gw.carrier.test is gateway, host:elsewhere.test is gateway, bob registered
         alice -> exchange     INVITE sip:0900123@example.org
         exchange -> alice     403
             Reason-Phrase: Destination Not Allowed
             Reason: SIP;cause=403;text=\"Destination Not Allowed\"
         alice -> exchange     ACK
         exchange tells alice may not call sip:0900123@example.org
         exchange tells alice may not call sip:0900123@example.org
         alice -> exchange     INVITE sip:x@elsewhere.test
         exchange -> alice     403
         alice -> exchange     ACK
         exchange tells alice may not call sip:x@elsewhere.test
         exchange tells alice may not call sip:x@elsewhere.test
         alice -> exchange     INVITE sip:030123@example.org
         exchange -> gateway   INVITE
         gateway -> exchange   486
         exchange -> gateway   ACK
         exchange -> alice     486
         alice -> exchange     ACK
         alice -> exchange     INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       486
         exchange -> bob       ACK
         exchange -> alice     486
         alice -> exchange     ACK
         # A message costs nothing.
         alice -> exchange     MESSAGE sip:0900123@example.org
         exchange -> gateway   MESSAGE
         gateway -> exchange   200
         exchange -> alice     200",
    );
}

/// Who has forwarded pays, whoever calls.
#[test]
fn who_has_forwarded_calls_outside_is_limited_however_late_that_happens() {
    for (when, ring, cancelled) in [
        ("always", "", ""),
        ("busy", "exchange -> bob INVITE\n bob -> exchange 486\n exchange -> bob ACK", ""),
        (
            "silence",
            "exchange -> bob INVITE\n bob -> exchange 180\n exchange -> stranger 180\n +20s exchange -> bob CANCEL",
            "bob -> exchange 200 CANCEL, 487 INVITE\n exchange -> bob ACK",
        ),
    ] {
        let (status, after) = if when == "busy" { (486, "") } else { (503, "") };
        let status = if when == "silence" { 480 } else { status };
        check_with(
            |config| with_limits(config, Limits { calls: 0, ..Limits::default() }),
            &format!(
                "given bob registered, bob forwards {when} to 030123, host:gw.carrier.test is gateway
                 stranger -> exchange  INVITE bob
                 {ring}
                 {cancelled}
                 exchange -> stranger  {status}
                 stranger -> exchange  ACK
                 {after}
                 exchange tells bob has as many calls as they may have at a time"
            ),
        );
    }
}

#[test]
fn an_invented_to_tag_is_no_way_around_the_limits() {
    check_with(
        |config| with_limits(config, Limits { calls: 0, ..Limits::default() }),
        "given host:gw.carrier.test is gateway, bob registered
         alice -> exchange     INVITE sip:030123@example.org
             To: <sip:030123@example.org>;tag=invented
         exchange -> alice     503
             Reason-Phrase: Too Many Calls
         alice -> exchange     ACK
         exchange tells alice has as many calls as they may have at a time",
    );
}
