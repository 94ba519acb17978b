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
             P-Asserted-Identity: \"Alice L\" <sip:alice@example.org>
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
