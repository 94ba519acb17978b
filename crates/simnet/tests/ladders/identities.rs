//! What is said of who calls, and to whom (RFC 3325, RFC 3323).

use crate::rules::trunk;
use routing::{Rules, Trunk, Trunks, Zone};
use server::Config;
use simnet::{check, check_with};

#[test]
fn a_user_is_named_as_they_have_proved() {
    check(
        "given bob registered
         alice -> exchange  MESSAGE bob
             From: \"Alice L\" <sip:alice@example.org>;tag=1
             P-Asserted-Identity: <sip:ceo@example.org>
             P-Preferred-Identity: <sip:boss@example.org>
             Remote-Party-ID: <sip:boss@example.org>
         exchange -> bob    MESSAGE
             P-Asserted-Identity: <sip:alice@example.org>
             P-Asserted-Identity: -
             P-Preferred-Identity: -
             Remote-Party-ID: -
         bob -> exchange    200
         exchange -> alice  200",
    );
}

#[test]
fn whoever_has_proved_nothing_is_not_named() {
    check(
        "given bob registered
         stranger -> exchange  MESSAGE bob
             P-Asserted-Identity: <sip:alice@example.org>
         exchange -> bob       MESSAGE
             P-Asserted-Identity: -
         bob -> exchange       200
         exchange -> stranger  200",
    );
}

#[test]
fn who_wants_to_stay_unnamed_does() {
    check(
        "given bob registered
         alice -> exchange  MESSAGE bob
             Privacy: id
             P-Asserted-Identity: <sip:alice@example.org>
         exchange -> bob    MESSAGE
             P-Asserted-Identity: -
             Privacy: id
         bob -> exchange    200
         exchange -> alice  200",
    );
}

#[test]
fn privacy_that_we_do_not_have_is_refused_when_it_is_critical() {
    check(
        "given bob registered
         stranger -> exchange  MESSAGE bob
             Privacy: header;critical
         exchange -> stranger  500 MESSAGE
         stranger -> exchange  MESSAGE bob
             Privacy: header
         exchange -> bob       MESSAGE
         bob -> exchange       200
         exchange -> stranger  200",
    );
}

fn with_trunk(config: &mut Config, trust_identity: bool) {
    let trunks = Trunks::new(vec![Trunk { trust_identity, ..trunk() }]);
    *config = config
        .clone()
        .with_rules(Rules::new(Vec::new(), trunks, Zone::utc(), "example.org"), engine::Now::read_clocks());
}

#[test]
fn a_trunk_is_believed_when_it_is_trusted() {
    let ladder = |named: &str| {
        format!(
            "given peer, bob registered
             peer -> exchange  MESSAGE bob
                 P-Asserted-Identity: <sip:+49301234@carrier.test>
             exchange -> bob   MESSAGE
                 P-Asserted-Identity: {named}
             bob -> exchange   200
             exchange -> peer  200"
        )
    };
    check_with(|config| with_trunk(config, true), &ladder("<sip:+49301234@carrier.test>"));
    check_with(|config| with_trunk(config, false), &ladder("-"));
}

#[test]
fn nobody_takes_another_name_in_the_middle_of_a_call() {
    check(
        "given bob registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  ACK
             P-Asserted-Identity: <sip:alice@example.org>
         exchange -> bob       ACK
             P-Asserted-Identity: -
         stranger -> exchange  UPDATE
             P-Asserted-Identity: <sip:alice@example.org>
             Remote-Party-ID: <sip:alice@example.org>
         exchange -> bob       UPDATE
             P-Asserted-Identity: -
             Remote-Party-ID: -
         bob -> exchange       200
         exchange -> stranger  200 UPDATE",
    );
}

#[test]
fn who_is_anonymous_to_others_is_known_to_us() {
    check_with(
        |config| with_trunk(config, true),
        "given nobody, host:there.test is peer
         alice -> exchange  MESSAGE sip:x@there.test
             From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1
         exchange -> peer   MESSAGE
             P-Asserted-Identity: <sip:alice@example.org>
         peer -> exchange   200
         exchange -> alice  200
         alice -> exchange  MESSAGE sip:x@there.test
             From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1
             Privacy: id
         exchange -> peer   MESSAGE
             P-Asserted-Identity: -
         peer -> exchange   200
         exchange -> alice  200",
    );
}

#[test]
fn what_a_trusted_trunk_wants_hidden_is_hidden_under_every_name() {
    check_with(
        |config| with_trunk(config, true),
        "given peer, bob registered
         peer -> exchange  MESSAGE bob
             Privacy: id
             P-Asserted-Identity: <sip:+49301234@carrier.test>
             Remote-Party-ID: <sip:+49301234@carrier.test>
             P-Preferred-Identity: <sip:+49301234@carrier.test>
         exchange -> bob   MESSAGE
             P-Asserted-Identity: -
             Remote-Party-ID: -
             P-Preferred-Identity: -
         bob -> exchange   200
         exchange -> peer  200",
    );
}

#[test]
fn nobody_asserts_a_name_in_an_answer() {
    check(
        "given bob registered
         stranger -> exchange  MESSAGE bob
         exchange -> bob       MESSAGE
         bob -> exchange       200
             P-Asserted-Identity: <sip:boss@example.org>
         exchange -> stranger  200
             P-Asserted-Identity: -",
    );
}

#[test]
fn how_a_call_came_to_be_is_not_the_callers_to_say() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
             Diversion: <sip:911@example.org>;reason=unknown
             History-Info: <sip:911@example.org>;index=1
         exchange -> bob    INVITE
             Diversion: -
             History-Info: -
         bob -> exchange    486
         exchange -> bob    ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}
