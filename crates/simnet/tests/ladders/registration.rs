//! REGISTER, from the challenge to the expiry.

use simnet::{check, run};

#[test]
fn challenged_then_registered() {
    check(
        "given alice signs when asked
         alice -> exchange  REGISTER exchange
         exchange -> alice  401
             WWW-Authenticate: Digest realm=\"example.org\", nonce=\"*\", algorithm=MD5, qop=\"auth\"
             Contact: -
         alice -> exchange  REGISTER exchange
         exchange -> alice  200
             Contact: <sip:alice@{alice}>;expires=3600
             Date: *GMT
         alice -> exchange  REGISTER exchange
         exchange -> alice  200
             Contact: <sip:alice@{alice}>;expires=3600
             Contact: -",
    );
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_answer() {
    let answers = ["alice has password wrong", "mallory claims to be mallory"].map(|given| {
        let name = given.split(' ').next().unwrap();
        let world = run(
            &format!(
                "given {given}, {name} signs when asked
                 {name} -> exchange  REGISTER exchange
                 exchange -> {name}  401
                 {name} -> exchange  REGISTER exchange
                 exchange -> {name}  403
                     WWW-Authenticate: -
                     Contact: -"
            ),
            1,
        );
        let answer = String::from_utf8(world.trace[3].bytes.to_vec()).unwrap().replace(name, "somebody");
        answer.lines().filter(|line| !line.starts_with("To:")).map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn an_old_nonce_is_stale_and_no_password_is_asked_for() {
    check(
        "given alice registered
         +301s alice -> exchange  REGISTER exchange
         exchange -> alice  401
             WWW-Authenticate: *, stale=true
         alice -> exchange  REGISTER exchange
         exchange -> alice  200",
    );
}

#[test]
fn credentials_that_break_the_rules() {
    check(
        "given alice signs when asked
         alice -> exchange  REGISTER exchange
             Authorization: Digest realm=\"example.org\", nonce=\"x\", uri=\"sip:example.org\", response=\"beef\"
         exchange -> alice  400
             Reason-Phrase: credentials without a username",
    );
}

#[test]
fn too_brief() {
    check(
        "alice -> exchange  REGISTER exchange
             Expires: 59
         exchange -> alice  423
             Min-Expires: 60
         alice -> exchange  REGISTER exchange
             Expires: 60
         exchange -> alice  200
             Contact: <sip:alice@{alice}>;expires=60",
    );
}

#[test]
fn several_contacts_a_query_and_their_removal() {
    check(
        "alice -> exchange   REGISTER exchange
             Contact: <sip:alice@{alice}>;q=0.5
             Expires: 600
         exchange -> alice   200
         alice2 -> exchange  REGISTER exchange
         exchange -> alice2  200
             Contact: <sip:alice@{alice}>;q=0.500;expires=600
             Contact: <sip:alice@{alice2}>;expires=3600
         +100s alice -> exchange REGISTER exchange
             Contact: -
         exchange -> alice   200
             Contact: <sip:alice@{alice}>;q=0.500;expires=500
             Contact: <sip:alice@{alice2}>;expires=3500
         alice -> exchange   REGISTER exchange
             Contact: <sip:alice@{alice}>;expires=0
         exchange -> alice   200
             Contact: <sip:alice@{alice2}>;expires=3500
             Contact: -
         alice -> exchange   REGISTER exchange
             Contact: *
         exchange -> alice   400
         alice -> exchange   REGISTER exchange
             Contact: *
             Expires: 0
         exchange -> alice   200
             Contact: -",
    );
}

#[test]
fn a_binding_ends_when_its_time_is_over() {
    check(
        "given bob registered
         +3599s stranger -> exchange  MESSAGE bob
         exchange -> bob       MESSAGE
         bob -> exchange       200
         exchange -> stranger  200
         +1s stranger -> exchange  MESSAGE bob
         exchange -> stranger  480",
    );
}

#[test]
fn a_register_whose_answer_was_lost_is_absorbed_and_burns_no_count() {
    for shards in [1, 4] {
        let world = run(
            "given alice registered
             alice -> exchange  REGISTER exchange
             exchange -> alice  200                     ; lost
             +500ms alice -> exchange  REGISTER again
             exchange -> alice  200
             +500ms alice -> exchange  REGISTER exchange
             exchange -> alice  200
                 Contact: <sip:alice@{alice}>;expires=3600",
            shards,
        );
        assert_eq!(world.trace[1].bytes, world.trace[3].bytes);
    }
}

#[test]
fn an_older_register_changes_nothing() {
    check(
        "given alice registered
         alice -> exchange  REGISTER exchange
             CSeq: 1 REGISTER
         exchange -> alice  500
             Reason-Phrase: CSeq Out Of Order",
    );
}

#[test]
fn nobody_registers_for_somebody_else() {
    check(
        "given alice signs when asked
         alice -> exchange  REGISTER bob
         exchange -> alice  401
         alice -> exchange  REGISTER bob
         exchange -> alice  403
         stranger -> exchange  MESSAGE bob
         exchange -> stranger  480",
    );
}

#[test]
fn nobody_registers_for_a_domain_that_is_not_ours() {
    check(
        "given alice signs when asked
         alice -> exchange  REGISTER sip:alice@other.test
         exchange -> alice  401
         alice -> exchange  REGISTER sip:alice@other.test
         exchange -> alice  403",
    );
    check(
        "given exchange trusts everybody
         alice -> exchange  REGISTER sip:alice@other.test
         exchange -> alice  404",
    );
}

#[test]
fn a_register_for_another_registrar_is_relayed_for_our_users_only() {
    check(
        "given host:other.test is peer
         stranger -> exchange  REGISTER exchange
             Request-URI: sip:other.test
         exchange -> stranger  407
         alice -> exchange     REGISTER exchange
             Request-URI: sip:other.test
             To: <sip:alice@other.test>
         exchange -> peer      REGISTER
             Record-Route: -
         peer -> exchange      200
         exchange -> alice     200",
    );
}

#[test]
fn extensions_that_a_registrar_does_not_have() {
    check(
        "alice -> exchange  REGISTER exchange
             Require: path, teleport
         exchange -> alice  420
             Unsupported: teleport",
    );
}

#[test]
fn a_slow_store_and_a_retransmission() {
    check(
        "given exchange asks slowly, alice signs when asked
         alice -> exchange  REGISTER exchange
         exchange -> alice  401
         alice -> exchange  REGISTER exchange
         +20ms alice -> exchange  REGISTER again
         +50ms alice -> exchange  REGISTER again
         +80ms exchange -> alice  200",
    );
}

#[test]
fn two_at_a_time() {
    check(
        "given exchange trusts everybody, exchange asks slowly
         alice -> exchange  REGISTER exchange
         bob -> exchange    REGISTER exchange
         +100ms exchange -> alice  200
             Contact: <sip:alice@{alice}>;expires=3600
         exchange -> bob    200
             Contact: <sip:bob@{bob}>;expires=3600",
    );
}

#[test]
fn of_several_flows_of_one_phone_the_latest_is_used_and_the_others_when_it_fails() {
    check(
        "given bob registered ;+sip.instance=\"<urn:uuid:1>\";reg-id=1, bob2 registered ;+sip.instance=\"<urn:uuid:1>\";reg-id=2
         stranger -> exchange  MESSAGE bob
         exchange -> bob2      MESSAGE
         bob2 -> exchange      486
         exchange -> stranger  486
         stranger -> exchange  MESSAGE bob
         exchange -> bob2      MESSAGE          ; refused
         exchange -> bob       MESSAGE
             Request-URI: sip:bob@{bob}
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  MESSAGE bob
         exchange -> bob2      MESSAGE
         bob2 -> exchange      430
         exchange -> bob       MESSAGE
         bob -> exchange       200
         exchange -> stranger  200",
    );
}

#[test]
fn a_gruu_reaches_one_phone_alone() {
    check(
        "given bob registered ;+sip.instance=\"<urn:uuid:1>\", bob2 registered ;+sip.instance=\"<urn:uuid:2>\"
         stranger -> exchange  MESSAGE sip:bob@example.org;gr=urn:uuid:2
         exchange -> bob2      MESSAGE
         bob2 -> exchange      200
         exchange -> stranger  200
         stranger -> exchange  MESSAGE sip:bob@example.org;gr=urn:uuid:3
         exchange -> stranger  480
         stranger -> exchange  MESSAGE sip:bob@example.org;gr
         exchange -> stranger  404",
    );
}

#[test]
fn phones_that_know_gruus_are_given_some() {
    check(
        "bob -> exchange  REGISTER exchange
             Supported: gruu
             Contact: <sip:bob@{bob}>;+sip.instance=\"<urn:uuid:1>\"
         exchange -> bob  200
             Contact: <sip:bob@{bob}>;+sip.instance=\"<urn:uuid:1>\"*pub-gruu=\"sip:bob@example.org;gr=urn:uuid:1\"*temp-gruu=\"sip:tgruu.*@example.org;gr\"*",
    );
}

#[test]
fn a_phone_registers_elsewhere_through_us_and_is_found_again() {
    check(
        "given host:there.test is registrar, exchange trusts everybody
         alice => exchange      REGISTER sip:there.test
             Request-URI: sip:there.test
             Supported: path, outbound
         exchange -> registrar  REGISTER
             Path: <sip:*@{exchange};lr;ob>
         registrar -> exchange  200
         exchange => alice      200
         registrar -> exchange  MESSAGE sip:alice@{alice}
             Route: {path}
         exchange => alice      MESSAGE
             Route: -
         alice => exchange      200
         exchange -> registrar  200",
    );
}
