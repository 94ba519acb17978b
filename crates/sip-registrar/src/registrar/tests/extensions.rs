//! Path (RFC 3327), Service-Route (RFC 3608), flows (RFC 5626) and GRUUs (RFC 5627).

use super::{World, aor, check, request};
use crate::{AddressOfRecord, Gruus, targets_of};
use engine::Rng;
use sip_message::{HeaderName, NameAddr, Uri, unquote};
use std::time::Duration;

const I: &str = "+sip.instance=\"<urn:uuid:1>\"";
/// Another phone.
const J: &str = "+sip.instance=\"<urn:uuid:2>\"";

fn check_named(scenario: &str) {
    check(&scenario.replace("{I}", I).replace("{J}", J));
}

#[test]
fn rfc3327_5_3_path_is_kept_in_its_order_and_told() {
    check(
        "
        a#1 <sip:1@h> | Path: <sip:p1;lr>,<sip:p2;lr> | Path: <sip:p3;lr> | Supported: path -> 200 <sip:1@h>;expires=3600, Path: <sip:p1;lr>, <sip:p2;lr>, <sip:p3;lr>
        a#2 <sip:1@h> | Path: <sip:p4;lr>     -> 200 <sip:1@h>;expires=3600, Path: <sip:p4;lr>
        a#3 <sip:1@h>                         -> 200 <sip:1@h>;expires=3600
        a#4 <sip:1@h> | Path: nonsense        -> 400
        ",
    );
}

#[test]
fn rfc3608_6_3_service_route_is_in_every_200_and_nothing_else() {
    let mut world = World::new();
    world.registrar.config.service_route = Some("<sip:pbx.example;lr>".to_owned());
    for (line, status) in
        [("a#1", 200), ("a#2 <sip:1@h>", 200), ("a#3 * | Expires: 0", 200), ("a#4 <sip:1@h>;expires=1", 423)]
    {
        let (answered, fields) = world.register(&request(line));
        let told: Vec<_> =
            fields.iter().filter(|(name, _)| *name == HeaderName::ServiceRoute).map(|(_, value)| &**value).collect();
        assert_eq!(
            (answered, told),
            (status, if status == 200 { vec!["<sip:pbx.example;lr>"] } else { vec![] }),
            "{line}"
        );
    }
}

#[test]
fn rfc5626_6_flows_of_one_phone_stand_side_by_side_and_are_replaced_one_by_one() {
    check_named(
        "
        a#1 <sip:1@h>;{I};reg-id=1 | Supported: path, outbound -> 200 <sip:1@h>;{I};reg-id=1;expires=3600, Require: outbound
        a#2 <sip:1@h>;{I};reg-id=2 | Supported: outbound -> 200 <sip:1@h>;{I};reg-id=1;expires=3600, <sip:1@h>;{I};reg-id=2;expires=3600, Require: outbound
        a#3 <sip:2@h>;{I};reg-id=1 -> 200 <sip:1@h>;{I};reg-id=2;expires=3600, <sip:2@h>;{I};reg-id=1;expires=3600
        a#3 <sip:3@h>;{I};reg-id=1 -> 500
        b#1 <sip:1@h>;{J};reg-id=1 -> 200 <sip:1@h>;{I};reg-id=2;expires=3600, <sip:2@h>;{I};reg-id=1;expires=3600, <sip:1@h>;{J};reg-id=1;expires=3600
        a#4 <sip:9@h>;{I};reg-id=1;expires=0 -> 200 <sip:1@h>;{I};reg-id=2;expires=3600, <sip:1@h>;{J};reg-id=1;expires=3600
        c#1 <sip:1@h>;expires=0 -> 200
        ",
    );
}

#[test]
fn rfc5626_6_a_first_hop_that_keeps_no_flow_is_told_439_or_reg_id_is_ignored() {
    let far = "Via: SIP/2.0/UDP first;branch=z9hG4bK2";
    for (fields, answer) in [
        ("Supported: outbound", "439"),
        ("Supported: outbound | Path: <sip:p;lr>", "439"),
        ("Supported: outbound | Path: <sip:p;lr;ob>, <sip:first;lr>", "439"),
        ("Require: outbound", "439"),
        ("Path: <sip:p;lr>", "200 <sip:1@h>;{I};expires=3600, Path: <sip:p;lr>"),
        ("Supported: path", "200 <sip:1@h>;{I};expires=3600"),
        (
            "Supported: outbound | Path: <sip:p;lr>, <sip:first;lr;ob>",
            "200 <sip:1@h>;{I};reg-id=1;expires=3600, Require: outbound, Path: <sip:p;lr>, <sip:first;lr;ob>",
        ),
    ] {
        check_named(&format!("a#1 <sip:1@h>;{{I}};reg-id=1 | {far} | {fields} -> {answer}"));
    }
    // Without an instance it is ignored, too.
    check("a#1 <sip:1@h>;reg-id=1 | Supported: outbound -> 200 <sip:1@h>;expires=3600");
}

#[test]
fn rfc5626_10_a_reg_id_is_a_number_from_1_to_2_31() {
    for (reg_id, answer) in [
        ("x", "400"),
        ("", "400"),
        ("+1", "400"),
        ("0", "400"),
        ("2147483648", "400"),
        ("99999999999", "400"),
        ("2147483647", "200 <sip:1@h>;{I};reg-id=2147483647;expires=3600"),
    ] {
        check_named(&format!("a#1 <sip:1@h>;{{I}};reg-id={reg_id} -> {answer}"));
    }
}

#[test]
fn rfc5626_6_a_flow_comes_with_no_other_contact() {
    check_named(
        "
        a#1 <sip:1@h>;{I};reg-id=1, <sip:2@h> -> 400
        a#1 <sip:1@h>;{I};reg-id=1, <sip:2@h>;expires=0 -> 200 <sip:1@h>;{I};reg-id=1;expires=3600
        ",
    );
}

#[test]
fn rfc5626_6_flow_timer_is_told_with_require_outbound() {
    let mut world = World::new();
    world.registrar.config.flow_timer_s = Some(120);
    let timer = |fields: &[(HeaderName, String)]| {
        fields.iter().find(|(name, _)| *name == HeaderName::FlowTimer).map(|(_, value)| value.clone())
    };
    let line = |supported: &str| request(&format!("a#1 <sip:1@h>;{I};reg-id=1{supported}"));
    assert_eq!(timer(&world.register(&line(" | Supported: outbound")).1), Some("120".to_owned()));
    let mut world = World::new();
    world.registrar.config.flow_timer_s = Some(120);
    assert_eq!(timer(&world.register(&line("")).1), None);
}

#[test]
fn rfc5626_7_a_phone_is_one_target_over_the_flow_refreshed_last() {
    let mut world = World::new();
    for line in [
        "a#1 <sip:1@h>;{I};reg-id=1",
        "b#1 <sip:plain@h>",
        "a#2 <sip:1@h>;{I};reg-id=2",
        "c#1 <sip:1@h>;{J};reg-id=1",
        "a#3 <sip:1@h>;{I};reg-id=3",
        "a#4 <sip:1@h>;{I};reg-id=1",
    ] {
        assert_eq!(world.register(&request(&line.replace("{I}", I).replace("{J}", J))).0, 200, "{line}");
    }
    let bindings = world.location.fetch(world.now, &aor()).bindings;
    let targets: Vec<_> = targets_of(&bindings)
        .iter()
        .map(|target| {
            let others: Vec<_> = target.others.iter().map(|other| other.reg_id().unwrap()).collect();
            (target.first.instance(), target.first.reg_id(), others)
        })
        .collect();
    let expected = [
        (None, None, vec![]),
        (Some("urn:uuid:1"), Some("1"), vec!["3", "2"]),
        (Some("urn:uuid:2"), Some("1"), vec![]),
    ];
    let mut sorted = targets.clone();
    sorted.sort();
    assert_eq!(sorted, expected, "{targets:?}");
}

fn with_gruus() -> (World, Gruus) {
    let mut world = World::new();
    let gruus = Gruus::new(&mut Rng::from_u64(9));
    world.registrar.config.gruus = Some(gruus);
    (world, gruus)
}

/// The public and temporary GRUUs of each Contact.
fn gruus_of(fields: &[(HeaderName, String)]) -> Vec<[Option<String>; 2]> {
    let contacts = fields.iter().filter(|(name, _)| *name == HeaderName::Contact);
    contacts
        .map(|(_, value)| {
            let contact = NameAddr::parse(value).unwrap();
            ["pub-gruu", "temp-gruu"].map(|name| contact.params.get(name).map(|value| unquote(value).into_owned()))
        })
        .collect()
}

#[test]
fn rfc5627_5_2_who_knows_gruus_is_told_those_of_every_instance() {
    let (mut world, gruus) = with_gruus();
    assert_eq!(world.register(&request("b#1 <sip:plain@h>")).0, 200);
    let quiet =
        world.register(&request(&format!("a#1 <sip:1@h>;{I};pub-gruu=\"sip:x@y;gr=z\";temp-gruu=\"sip:x@y;gr\""))).1;
    assert_eq!(gruus_of(&quiet), [[None, None], [None, None]], "it did not ask, and what it says of GRUUs is ignored");
    let told = world.register(&request("a#2 | Supported: gruu")).1;
    let [[None, None], [Some(public), Some(temporary)]] = &gruus_of(&told)[..] else { panic!("{told:?}") };
    assert_eq!(public, "sip:100@pbx.example;gr=urn:uuid:1");
    let bindings = world.location.fetch(world.now, &aor()).bindings;
    for (uri, is_temporary) in [(public, false), (temporary, true)] {
        let found = gruus.resolve(&Uri::parse(uri).unwrap(), |uri| AddressOfRecord::of(uri).ok()).unwrap();
        assert_eq!((&found.aor, &*found.instance, found.is_temporary()), (&aor(), "urn:uuid:1", is_temporary));
        assert_eq!(bindings.iter().map(|binding| found.reaches(binding)).collect::<Vec<_>>(), [false, true]);
    }
    let again = gruus_of(&world.register(&request("a#3 | Supported: gruu")).1);
    assert!(again[1][0].as_ref() == Some(public) && again[1][1].as_ref() != Some(temporary), "{again:?}");
}

#[test]
fn rfc5627_5_1_temporary_gruus_end_with_the_call_id_or_the_last_contact() {
    let (mut world, gruus) = with_gruus();
    let register = |world: &mut World, line: &str| {
        let (status, fields) = world.register(&request(&format!("{} | Supported: gruu", line.replace("{I}", I))));
        assert_eq!(status, 200, "{line}");
        gruus_of(&fields).pop().and_then(|[_, temporary]| temporary).unwrap_or_default()
    };
    let reaches = |world: &World, uri: &str| {
        let found = gruus.resolve(&Uri::parse(uri).unwrap(), |_| None).unwrap();
        world.location.fetch(world.now, &aor()).bindings.iter().any(|binding| found.reaches(binding))
    };
    let first = register(&mut world, "a#1 <sip:1@h>;{I}");
    let second = register(&mut world, "a#2 <sip:1@h>;{I}");
    assert!(reaches(&world, &first) && reaches(&world, &second), "all that were made in one registration hold");
    let third = register(&mut world, "b#1 <sip:1@h>;{I}");
    assert!(!reaches(&world, &first) && !reaches(&world, &second) && reaches(&world, &third), "another Call-ID");
    register(&mut world, "b#2 <sip:1@h>;{I};expires=0");
    assert!(!reaches(&world, &third));
    let fourth = register(&mut world, "b#3 <sip:1@h>;{I}");
    assert!(!reaches(&world, &third) && reaches(&world, &fourth), "the same Call-ID after the end");
    world.now = world.now + Duration::from_secs(3600);
    let fifth = register(&mut world, "b#4 <sip:1@h>;{I}");
    assert!(!reaches(&world, &fourth) && reaches(&world, &fifth), "after it has expired");

    // Each flow has its own Call-ID; when one of them changes, all temporary GRUUs of the phone go.
    let (mut world, _) = with_gruus();
    let one = register(&mut world, "a#1 <sip:1@h>;{I};reg-id=1");
    let two = register(&mut world, "b#1 <sip:1@h>;{I};reg-id=2");
    assert!(reaches(&world, &one) && reaches(&world, &two), "a further flow changes nothing");
    let three = register(&mut world, "c#1 <sip:1@h>;{I};reg-id=2");
    assert!(!reaches(&world, &one) && !reaches(&world, &two) && reaches(&world, &three));
    register(&mut world, "c#2 <sip:1@h>;{I};reg-id=2;expires=0");
    assert!(reaches(&world, &three), "the other flow is still there");
}

#[test]
fn rfc5627_5_1_a_contact_that_leads_back_here_is_403() {
    let (mut world, gruus) = with_gruus();
    let temporary = gruus.temporary(1, 1, &aor(), "urn:uuid:1");
    let others = gruus.temporary(1, 1, &AddressOfRecord::new("101", "pbx.example").unwrap(), "urn:uuid:1");
    for (contact, status) in [
        ("sip:100@PBX.example", 403),
        ("sip:%3100@pbx.example;x=y", 403),
        ("sip:100@pbx.example;gr=urn:uuid:1", 403),
        (&*temporary, 403),
        ("tel:100", 403),
        ("sip:100@pbx.example:5070", 200),
        ("sip:100@pbx.example;transport=tcp", 200),
        (&*others, 200),
    ] {
        world.registrar.config.gruus = Some(gruus);
        let (answered, _) = world.register(&request(&format!("{contact}#1 <{contact}>;{I}")));
        assert_eq!(answered, status, "{contact}");
    }
    // Without an instance, RFC 3261's rules are all.
    assert_eq!(world.register(&request("z#1 <sip:100@pbx.example>, <tel:100>")).0, 200);
}
