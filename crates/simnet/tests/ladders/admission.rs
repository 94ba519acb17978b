//! Who may do what, and what is refused before it costs anything.

use simnet::check;

#[test]
fn who_uses_our_name_must_prove_it() {
    check(
        "given bob registered, alice signs when asked
         alice -> exchange  INVITE bob
         exchange -> alice  407
             Proxy-Authenticate: Digest realm=\"example.org\", nonce=\"*\", algorithm=MD5, qop=\"auth\"
             Proxy-Authenticate: -
             WWW-Authenticate: -
         alice -> exchange  ACK, INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob    ACK",
    );
}

#[test]
fn our_name_is_ours_at_any_port_and_as_a_number() {
    for from in [
        "sip:alice@example.org:9999",
        "sips:alice@example.org:9999",
        "sip:alice@{exchange}9",
        "tel:alice",
        "im:alice@x",
    ] {
        check(&format!(
            "given bob registered, carol signs when asked
             stranger -> exchange  MESSAGE bob
                 From: <{from}>;tag=1
             exchange -> stranger  407
             carol -> exchange     MESSAGE bob
                 From: <{from}>;tag=1
             exchange -> carol     407
             carol -> exchange     MESSAGE bob
                 From: <{from}>;tag=1
             exchange -> carol     403"
        ));
    }
    for from in ["sip:alice@example.org:9999", "tel:alice"] {
        check(&format!(
            "given bob registered, alice signs when asked
             alice -> exchange  MESSAGE bob
                 From: <{from}>;tag=1
             exchange -> alice  407
             alice -> exchange  MESSAGE bob
                 From: <{from}>;tag=1
             exchange -> bob    MESSAGE
             bob -> exchange    200
             exchange -> alice  200"
        ));
    }
}

#[test]
fn a_wrong_password_is_forbidden() {
    check(
        "given bob registered, alice signs when asked, alice has password wrong
         alice -> exchange  INVITE bob
         exchange -> alice  407
         alice -> exchange  ACK, INVITE bob
         exchange -> alice  403
         alice -> exchange  ACK",
    );
}

#[test]
fn ones_own_password_does_not_make_one_somebody_else() {
    check(
        "given carol registered, bob signs when asked
         bob -> exchange  MESSAGE carol
             From: <sip:alice@example.org>;tag=1
         exchange -> bob  407
         bob -> exchange  MESSAGE carol
             From: <sip:alice@example.org>;tag=1
         exchange -> bob  403
         bob -> exchange  MESSAGE carol
             From: <sip:bob@elsewhere.test>;tag=1
         exchange -> carol  MESSAGE
         carol -> exchange  200
         exchange -> bob    200",
    );
}

#[test]
fn a_stranger_may_call_our_users_and_nobody_else() {
    check(
        "given bob registered, host:there.test is peer
         stranger -> exchange  MESSAGE bob
         exchange -> bob       MESSAGE
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  MESSAGE sip:x@there.test
         exchange -> stranger  407
         stranger -> exchange  MESSAGE bob
             Route: <sip:there.test;lr>
         exchange -> stranger  407
         stranger -> exchange  INVITE sip:x@{peer}
         exchange -> stranger  407
         stranger -> exchange  ACK",
    );
}

#[test]
fn our_users_may_call_elsewhere() {
    check(
        "given alice signs when asked, host:there.test is peer
         alice -> exchange  INVITE sip:x@there.test
         exchange -> alice  407
         alice -> exchange  ACK, INVITE sip:x@there.test
         exchange -> peer   INVITE
             Request-URI: sip:x@there.test
         peer -> exchange   486
         exchange -> peer   ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn but_in_their_own_name_only() {
    check(
        "given bob signs when asked, host:there.test is peer
         bob -> exchange  MESSAGE sip:x@there.test
             From: <sip:ceo@bank.test>;tag=1
         exchange -> bob  407
         bob -> exchange  MESSAGE sip:x@there.test
             From: <sip:ceo@bank.test>;tag=1
         exchange -> bob  403",
    );
}

#[test]
fn nowhere_is_not_found() {
    check(
        "alice -> exchange  MESSAGE sip:x@nowhere.test
         exchange -> alice  404
         alice -> exchange  MESSAGE bob
             Route: <tel:123>
         exchange -> alice  404",
    );
}

#[test]
fn an_exchange_that_trusts_everybody() {
    check(
        "given exchange trusts everybody, host:there.test is peer
         alice -> exchange     REGISTER exchange
         exchange -> alice     200
         stranger -> exchange  MESSAGE alice
             From: <sip:bob@example.org>;tag=1
         exchange -> alice     MESSAGE
         alice -> exchange     200
         exchange -> stranger  200
         stranger -> exchange  MESSAGE sip:x@there.test
         exchange -> peer      MESSAGE
         peer -> exchange      200
         exchange -> stranger  200",
    );
}

#[test]
fn a_bye_or_ack_without_our_token_goes_nowhere() {
    check(
        "given bob registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  ACK
             Route: -
         stranger -> exchange  BYE
             Route: -
         exchange -> stranger  407
         stranger -> exchange  ACK
             Route: <sip:{exchange};lr>
         stranger -> exchange  ACK
         exchange -> bob       ACK",
    );
}

#[test]
fn a_forged_token_opens_nothing() {
    check(
        "given bob registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  ACK
             Route: {forged route}
         stranger -> exchange  BYE
             Route: {forged route}
         exchange -> stranger  407
         stranger -> exchange  ACK, BYE
         exchange -> bob       ACK, BYE
         bob -> exchange       200
         exchange -> stranger  200 BYE",
    );
}

#[test]
fn no_hops_left() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
             Max-Forwards: 0
         exchange -> alice  483
         alice -> exchange  ACK
         alice -> exchange  OPTIONS bob
             Max-Forwards: 0
         exchange -> alice  483
         alice -> exchange  MESSAGE bob
             Max-Forwards: 1
         exchange -> bob    MESSAGE
             Max-Forwards: 0
         bob -> exchange    200
         exchange -> alice  200
         alice -> exchange  MESSAGE bob
             Max-Forwards: -
         exchange -> bob    MESSAGE
             Max-Forwards: 70
         bob -> exchange    200
         exchange -> alice  200",
    );
}

#[test]
fn extensions_that_a_proxy_does_not_have() {
    check(
        "given bob registered
         alice -> exchange  MESSAGE bob
             Proxy-Require: teleport
         exchange -> alice  420
             Unsupported: teleport
         alice -> exchange  MESSAGE bob
             Require: teleport
         exchange -> bob    MESSAGE
             Require: teleport
         bob -> exchange    200
         exchange -> alice  200",
    );
}

#[test]
fn unknown_schemes() {
    check(
        "given bob registered
         stranger -> exchange  MESSAGE fax:bob
         exchange -> stranger  416
             Unsupported: -
         stranger -> exchange  MESSAGE sips:bob@example.org
         exchange -> stranger  416",
    );
}

#[test]
fn malformed_requests_are_told_what_is_wrong() {
    for (field, reason) in [
        ("CSeq: 7 SUBSCRIBE", "CSeq names another method than the request line"),
        ("CSeq: banana", "CSeq is not a number and a method"),
        ("From: <sip:alice", "*"),
        ("From: <nonsense>;tag=1", "*"),
        ("To: <sip:alice", "*"),
        ("Request-URI: nonsense", "*"),
        ("Max-Forwards: many", "Max-Forwards is not a number from 0 to 255"),
        ("Call-ID:", "Call-ID is empty"),
        ("Call-ID: -", "Call-ID is missing"),
        ("Content-Length: 99", "Content-Length is more than what came"),
    ] {
        check(&format!(
            "stranger -> exchange  MESSAGE bob
                 {field}
             exchange -> stranger  400
                 Reason-Phrase: {reason}"
        ));
    }
}

#[test]
fn nonsense_is_not_answered() {
    check(
        "stranger -> exchange  \"hello?\"
         stranger -> exchange  \"SIP/2.0 200 OK\"
         stranger -> exchange  \"SIP/2.0 999999\"
         stranger -> exchange  \"MESSAGE sip:bob@example.org SIP/2.0\"
         stranger -> exchange  \"MESSAGE sip:bob@example.org SIP/3.0\"",
    );
}

#[test]
fn a_signed_request_that_is_sent_again_while_its_secrets_are_fetched() {
    check(
        "given bob registered, exchange asks slowly, alice signs when asked
         alice -> exchange  MESSAGE bob
         exchange -> alice  407
         alice -> exchange  MESSAGE bob
         +20ms alice -> exchange  MESSAGE again
         +80ms exchange -> bob  MESSAGE
         bob -> exchange    200
         exchange -> alice  200",
    );
}

#[test]
fn a_stranger_was_relayed_anywhere_by_way_of_the_exchange_itself() {
    check(
        "given host:there.test is peer
         stranger -> exchange  OPTIONS exchange
             Route: <sip:there.test;lr>
         exchange -> stranger  407
         alice -> exchange     MESSAGE sip:example.org
             Route: <sip:there.test;lr>
         exchange -> peer      MESSAGE
             Request-URI: sip:example.org
         peer -> exchange      200
         exchange -> alice     200",
    );
}

#[test]
fn a_strangers_token_does_not_let_him_call_in_the_name_of_our_users() {
    check(
        "given bob registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  ACK
         exchange -> bob       ACK
         stranger -> exchange  INVITE
             From: <sip:alice@example.org>;tag=stranger
             To: <sip:bob@example.org>
         exchange -> stranger  407
         stranger -> exchange  ACK",
    );
}

#[test]
fn nobody_becomes_somebody_else_in_the_middle_of_a_call() {
    check(
        "given bob registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  ACK
         exchange -> bob       ACK
         stranger -> exchange  BYE
             From: <sip:alice@example.org>;tag=stranger
         exchange -> stranger  407
         stranger -> exchange  BYE
         exchange -> bob       BYE
         bob -> exchange       200
         exchange -> stranger  200",
    );
}

#[test]
fn what_a_stranger_says_about_himself_does_not_go_on_as_our_word() {
    check(
        "given bob registered
         stranger -> exchange  INVITE bob
             P-Asserted-Identity: <sip:alice@example.org>
             p-asserted-identity: <tel:100>
             P-Preferred-Identity: <sip:alice@example.org>
             Remote-Party-ID: <sip:alice@example.org>
         exchange -> bob       INVITE
             P-Asserted-Identity: -
             P-Preferred-Identity: -
             Remote-Party-ID: -
         bob -> exchange       200
             P-Asserted-Identity: <sip:bob@example.org>
         exchange -> stranger  200
             P-Asserted-Identity: -
         stranger -> exchange  ACK
         exchange -> bob       ACK
         alice -> exchange     MESSAGE bob
             P-Asserted-Identity: <sip:alice@example.org>
         exchange -> bob       MESSAGE
             P-Asserted-Identity: <sip:alice@example.org>
         bob -> exchange       200
         exchange -> alice     200",
    );
}

#[test]
fn credentials_for_us_end_with_us_and_others_go_on() {
    check(
        "given host:there.test is peer, alice signs when asked
         alice -> exchange  INVITE sip:x@there.test
         exchange -> alice  407
         alice -> exchange  ACK, INVITE sip:x@there.test
             Authorization: Digest username=\"a\", realm=\"there.test\", nonce=\"n\", uri=\"u\", response=\"r\"
         exchange -> peer   INVITE
             Proxy-Authorization: -
             Authorization: Digest username=\"a\", realm=\"there.test\", *
         peer -> exchange   486
         exchange -> peer   ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn without_tls_there_is_no_way_to_what_asks_for_it() {
    check(
        "given host:there.test is peer
         alice -> exchange  MESSAGE sip:x@there.test;transport=tls
         exchange -> alice  404
         alice -> exchange  MESSAGE sip:x@there.test
             Route: <sips:there.test;lr>
         exchange -> alice  404",
    );
}

#[test]
fn a_name_of_ours_that_we_do_not_know_leads_to_no_loop() {
    check(
        "given exchange trusts everybody, host:alias.test is exchange
         alice -> exchange  MESSAGE sip:x@alias.test
         exchange -> alice  404
         alice -> exchange  MESSAGE sip:x@there.test
             Route: <sip:alias.test;lr>
         exchange -> alice  404",
    );
}
