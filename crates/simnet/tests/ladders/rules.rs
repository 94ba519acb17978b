//! Dial rules and trunks.

use routing::{Action, AddressPattern, Limit, Network, Place, Rule, Rules, Trunk, Trunks, When, Zone};
use server::{Config, Mode};
use simnet::check_with;
use std::time::Duration;

/// A trunk whose calls come from whoever a ladder names first.
pub(crate) fn trunk() -> Trunk {
    Trunk {
        name: "carrier".to_owned(),
        to: vec!["sip:gw.carrier.test".to_owned()],
        from: vec![Network::parse("10.0.0.2").expect("an address")],
        ..Trunk::default()
    }
}

fn rule(to: &str, action: Action) -> Rule {
    let to = vec![AddressPattern::parse(to).expect("a pattern")];
    Rule { when: When { to, ..When::default() }, ..Rule::new(action) }
}

fn places<const N: usize>(places: [&str; N]) -> Vec<Place> {
    places.iter().map(|place| Place::parse(place).expect("a place")).collect()
}

fn set(config: &mut Config, rules: Vec<Rule>) {
    set_with(config, rules, Trunk { from: Vec::new(), ..trunk() });
}

fn set_with(config: &mut Config, rules: Vec<Rule>, trunk: Trunk) {
    let rules = Rules::new(rules, Trunks::new(vec![trunk]), Zone::utc(), "example.org");
    *config = config.clone().with_rules(rules, engine::Now::read_clocks());
}

fn to_carrier(config: &mut Config) {
    let rule = rule("0*", Action::Trunk { names: vec!["carrier".to_owned()] });
    set(config, vec![Rule { strip: 1, prefix: "+49".to_owned(), ..rule }]);
}

#[test]
fn a_number_goes_to_a_trunk_for_those_who_are_known() {
    check_with(
        to_carrier,
        "given host:gw.carrier.test is gateway
         alice -> exchange     INVITE sip:030123@example.org
         exchange -> gateway   INVITE
             Request-URI: sip:+4930123@gw.carrier.test
             P-Asserted-Identity: -
         gateway -> exchange   486
         exchange -> gateway   ACK
         exchange -> alice     486
         alice -> exchange     ACK
         stranger -> exchange  INVITE sip:030123@example.org
         exchange -> stranger  407
         stranger -> exchange  ACK",
    );
}

#[test]
fn what_comes_from_a_trunk_needs_no_password() {
    check_with(
        |config| set_with(config, Vec::new(), trunk()),
        "given peer, bob registered, host:gw.carrier.test is gateway
         peer -> exchange      MESSAGE bob
         exchange -> bob       MESSAGE
         bob -> exchange       200
         exchange -> peer      200
         peer -> exchange      MESSAGE sip:x@elsewhere.test
         exchange -> peer      407",
    );
}

#[test]
fn a_rule_may_refuse() {
    check_with(
        |config| {
            let reject = Action::Reject { status: 403, reason: Some("Not at night".to_owned()) };
            set(config, vec![rule("0900*", reject)]);
        },
        "alice -> exchange  INVITE sip:0900123@example.org
         exchange -> alice  403
         alice -> exchange  ACK",
    );
}

#[test]
fn a_rule_may_redirect() {
    check_with(
        |config| {
            let to = places(["sip:{user}@new.test", "sip:{user}@old.test"]);
            set(config, vec![rule("7*", Action::Redirect { status: 302, to })]);
        },
        "stranger -> exchange  INVITE sip:77@example.org
         exchange -> stranger  302
             Contact: <sip:77@new.test>;q=1
             Contact: <sip:77@old.test>;q=0.500
         stranger -> exchange  ACK",
    );
}

#[test]
fn a_group_rings_at_once() {
    check_with(
        |config| set(config, vec![rule("600", Action::Fork { to: places(["bob", "carol"]) })]),
        "given bob registered, carol registered
         stranger -> exchange  INVITE sip:600@example.org
         exchange -> bob       INVITE
         exchange -> carol     INVITE
         bob -> exchange       180
         exchange -> stranger  180
         carol -> exchange     200
         exchange -> stranger  200
         exchange -> bob       CANCEL
         bob -> exchange       200 CANCEL, 487 INVITE
         exchange -> bob       ACK
         stranger -> exchange  ACK
         exchange -> carol     ACK
         carol -> exchange     BYE
         exchange -> stranger  BYE
         stranger -> exchange  200
         exchange -> carol     200",
    );
}

#[test]
fn a_group_rings_one_after_the_other() {
    check_with(
        |config| {
            let action = Action::Serial { to: places(["bob", "carol"]), ring: Duration::from_secs(10) };
            set(config, vec![rule("600", action)]);
        },
        "given bob registered, carol registered
         alice -> exchange  INVITE sip:600@example.org
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +10s exchange -> bob  CANCEL
         exchange -> carol  INVITE
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob    ACK
         carol -> exchange  486
         exchange -> carol  ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn whom_is_not_registered_a_rule_may_replace() {
    let rules = |config: &mut Config| {
        let away = Rule::new(Action::Dial { to: places(["carol"]) });
        set(config, vec![Rule { when: When { registered: Some(false), ..When::default() }, ..away }]);
    };
    check_with(
        rules,
        "given bob registered, carol registered
         stranger -> exchange  MESSAGE bob
         exchange -> bob       MESSAGE
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  MESSAGE dave
         exchange -> carol     MESSAGE
         carol -> exchange     200
         exchange -> stranger  200",
    );
}

#[test]
fn a_rule_fires_only_so_often() {
    check_with(
        |config| {
            let rule = rule("0*", Action::Reject { status: 404, reason: None });
            set(config, vec![Rule { limit: Some(Limit::new(6, Some(1))), ..rule }]);
        },
        "alice -> exchange  MESSAGE sip:01@example.org
         exchange -> alice  404
         alice -> exchange  MESSAGE sip:01@example.org
         exchange -> alice  503
             Retry-After: 11
         +11s alice -> exchange  MESSAGE sip:01@example.org
         exchange -> alice  404",
    );
}

#[test]
fn nothing_left_of_a_number_is_incomplete() {
    check_with(
        to_carrier_of_short_numbers,
        "alice -> exchange  MESSAGE sip:0@example.org
         exchange -> alice  484",
    );
}

fn to_carrier_of_short_numbers(config: &mut Config) {
    let rule = rule("0*", Action::Trunk { names: vec!["carrier".to_owned()] });
    set(config, vec![Rule { strip: 1, ..rule }]);
}

#[test]
fn a_rule_may_do_without_state() {
    check_with(
        |config| {
            let to = Place::parse("sip:{user}@there.test").ok();
            set(config, vec![Rule { open: true, ..rule("8*", Action::Stateless { to }) }]);
        },
        "given host:there.test is peer, bob registered
         stranger -> exchange  MESSAGE sip:88@example.org
         exchange -> peer      MESSAGE
             Request-URI: sip:88@there.test
         stranger -> exchange  MESSAGE again
         exchange -> peer      MESSAGE
         peer -> exchange      200
         exchange -> stranger  200
         stranger -> exchange  MESSAGE bob
         exchange -> bob       MESSAGE
         bob -> exchange       200
         exchange -> stranger  200",
    );
}

#[test]
fn a_forward_to_an_outside_number_goes_by_the_rules() {
    check_with(
        to_carrier,
        "given bob registered, bob forwards busy to 0171555, host:gw.carrier.test is gateway
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       486
         exchange -> bob       ACK
         exchange -> gateway   INVITE
             Request-URI: sip:+49171555@gw.carrier.test
             Diversion: <sip:bob@example.org>;reason=user-busy;counter=1
         gateway -> exchange   486
         exchange -> gateway   ACK
         exchange -> stranger  486
         stranger -> exchange  ACK",
    );
}

#[test]
fn the_next_gateway_is_for_when_nobody_is_at_the_first() {
    check_with(
        |config| {
            let to = places(["sip:{user}@one.test", "sip:{user}@two.test"]);
            set(config, vec![rule("9*", Action::Dial { to })]);
        },
        "given host:one.test is one, host:two.test is two
         alice -> exchange  INVITE sip:99@example.org
         exchange -> one    INVITE
         one -> exchange    486
         exchange -> one    ACK
         exchange -> alice  486
         alice -> exchange  ACK, INVITE sip:99@example.org
         exchange -> one    INVITE
         one -> exchange    503
         exchange -> one    ACK
         exchange -> two    INVITE
             Request-URI: sip:99@two.test
         two -> exchange    486
         exchange -> two    ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn the_trunks_own_host_is_no_way_around_the_rules() {
    check_with(
        to_carrier,
        "given host:gw.carrier.test is gateway
         alice -> exchange  MESSAGE sip:0900@gw.carrier.test
         exchange -> alice  403
         alice -> exchange  MESSAGE sip:0900@elsewhere.test
             Route: <sip:gw.carrier.test;lr>
         exchange -> alice  404",
    );
}

#[test]
fn a_trunk_by_another_name_is_not_found() {
    check_with(
        |config| set_with(config, Vec::new(), trunk()),
        "given gateway, host:alias.test is gateway
         alice -> exchange  MESSAGE sip:0900@alias.test
         exchange -> alice  404",
    );
}

/// `gw.carrier.test` and `alias.test` are one host, and no rule says from where the trunk sends.
#[test]
fn a_stateless_proxy_knows_the_trunk_by_where_its_name_leads() {
    check_with(
        |config| {
            config.mode = Mode::Stateless;
            set(config, Vec::new());
        },
        "given exchange trusts everybody, host:gw.carrier.test is gateway, host:alias.test is gateway, host:other.test is bob
         stranger -> exchange  MESSAGE sip:0900@alias.test
         exchange -> stranger  404
         stranger -> exchange  MESSAGE sip:0900@other.test
         exchange -> bob       MESSAGE
         bob -> exchange       200
         exchange -> stranger  200",
    );
}

/// `gateway` is where the trunk sends from, and `alias.test` is the same host.
fn to_carrier_and_recursive(config: &mut Config) {
    to_carrier(config);
    config.recurse = true;
}

#[test]
fn a_redirection_has_no_more_rights_than_a_stranger() {
    for contact in ["sip:0900@gw.carrier.test", "sip:0900@example.org"] {
        check_with(
            to_carrier_and_recursive,
            &format!(
                "given bob registered, host:gw.carrier.test is gateway
                 stranger -> exchange  INVITE bob
                 exchange -> bob       INVITE
                 bob -> exchange       302
                     Contact: <{contact}>
                 exchange -> bob       ACK
                 exchange -> stranger  404
                 stranger -> exchange  ACK"
            ),
        );
    }
}

#[test]
fn a_redirection_to_another_user_is_followed() {
    check_with(
        to_carrier_and_recursive,
        "given bob registered, carol registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       302
             Contact: <sip:carol@example.org>
         exchange -> bob       ACK
         exchange -> carol     INVITE
         carol -> exchange     486
         exchange -> carol     ACK
         exchange -> stranger  486
         stranger -> exchange  ACK",
    );
}

#[test]
fn without_state_a_group_has_its_first_member() {
    check_with(
        |config| {
            config.mode = server::Mode::Stateless;
            set(config, vec![rule("600", Action::Fork { to: places(["bob", "carol"]) })]);
        },
        "given bob registered, carol registered
         stranger -> exchange  MESSAGE sip:600@example.org
         exchange -> bob       MESSAGE
         bob -> exchange       200
         exchange -> stranger  200",
    );
}

#[test]
fn forwards_in_a_circle_come_to_an_end_without_state_too() {
    check_with(
        |config| {
            config.mode = server::Mode::Stateless;
            set(config, vec![rule("9", Action::Fork { to: places(["bob", "carol"]) })]);
        },
        "given bob forwards always to 9
         stranger -> exchange  INVITE sip:9@example.org
         exchange -> stranger  480
         stranger -> exchange  ACK",
    );
}

#[test]
fn neither_maddr_nor_an_address_is_a_way_around_the_rules() {
    check_with(
        to_carrier,
        "given host:gw.carrier.test is gateway, host:alias.test is gateway
         alice -> exchange    MESSAGE sip:0900@example.org;maddr=gw.carrier.test
         exchange -> alice    403
         alice -> exchange    MESSAGE sip:01@example.org
         exchange -> gateway  MESSAGE
         gateway -> exchange  200
         exchange -> alice    200
         alice -> exchange    MESSAGE sip:0900@alias.test
         exchange -> alice    404",
    );
}

#[test]
fn who_hides_their_name_is_asked_for_it_where_callers_matter() {
    check_with(
        |config| {
            let mut rule = rule("0*", Action::Trunk { names: vec!["carrier".to_owned()] });
            rule.when.callers = vec![routing::Pattern::parse("*").expect("a pattern")];
            set(config, vec![rule]);
        },
        "given host:gw.carrier.test is gateway
         alice -> exchange    MESSAGE sip:01@example.org
             From: <sip:anonymous@anonymous.invalid>;tag=1
         exchange -> gateway  MESSAGE
             P-Asserted-Identity: -
         gateway -> exchange  200
         exchange -> alice    200",
    );
}
