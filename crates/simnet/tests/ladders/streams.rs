//! Streams: connections that bindings live on, requests too large for a datagram, and connections that fail.

use simnet::check;

#[test]
fn a_phone_on_a_stream_is_called_over_it() {
    check(
        "given bob registered over tcp
         alice => exchange  INVITE bob
         exchange => bob    INVITE
             Request-URI: sip:bob@{bob};transport=tcp
         bob => exchange    180, 200
         exchange => alice  180, 200
         alice => exchange  ACK, BYE
         exchange => bob    ACK, BYE
         bob => exchange    200
         exchange => alice  200 BYE",
    );
}

#[test]
fn nothing_is_repeated_over_a_stream() {
    check(
        "given bob registered over tcp
         alice => exchange  INVITE bob
         exchange => bob    INVITE
         +200ms exchange => alice  100
         +31800ms exchange => alice  408
         alice => exchange  ACK",
    );
}

#[test]
fn a_large_request_to_a_binding_stays_on_its_flow() {
    check(
        "given bob registered
         alice -> exchange  MESSAGE bob
             Body: 1400 bytes
         exchange -> bob    MESSAGE
             Body: 1400 bytes
         bob -> exchange    200
         exchange -> alice  200",
    );
}

#[test]
fn a_large_request_elsewhere_goes_over_a_stream() {
    check(
        "given host:there.test is peer
         alice -> exchange  MESSAGE sip:x@there.test
             Body: 1000 bytes
         exchange => peer   MESSAGE
             Via: SIP/2.0/TCP *
         peer => exchange   200
         exchange -> alice  200
         alice -> exchange  MESSAGE sip:x@there.test
             Body: 100 bytes
         exchange -> peer   MESSAGE
             Via: SIP/2.0/UDP *
         peer -> exchange   200
         exchange -> alice  200",
    );
}

#[test]
fn a_large_request_falls_back_to_a_datagram() {
    check(
        "given host:there.test is peer
         alice -> exchange  INVITE sip:x@there.test
             Body: 1400 bytes
         exchange => peer   INVITE                      ; refused
         exchange -> peer   INVITE
             Via: SIP/2.0/UDP *
             Record-Route: <sip:*@{exchange};lr>
             Record-Route: -
         peer -> exchange   486
         exchange -> peer   ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn the_next_address_of_a_host_is_tried() {
    check(
        "given host:there.test is peer1 peer2
         alice -> exchange  MESSAGE sip:x@there.test
         exchange -> peer1  MESSAGE                     ; refused
         exchange -> peer2  MESSAGE
         peer2 -> exchange  200
         exchange -> alice  200
         alice -> exchange  MESSAGE sip:x@there.test
         exchange -> peer2  MESSAGE                     ; refused
         exchange -> peer1  MESSAGE                     ; refused
         exchange -> alice  500",
    );
}

#[test]
fn a_uri_may_ask_for_a_stream() {
    check(
        "given host:there.test is peer
         alice -> exchange  MESSAGE sip:x@there.test;transport=tcp
         exchange => peer   MESSAGE
         peer => exchange   200
         exchange -> alice  200",
    );
}

#[test]
fn the_connection_of_a_binding_is_gone() {
    check(
        "given bob registered over tcp
         bob closes exchange
         alice -> exchange  INVITE bob
         exchange => bob    INVITE
         exchange -> alice  480
         alice -> exchange  ACK",
    );
}

#[test]
fn a_new_connection_takes_over() {
    check(
        "given bob registered over tcp
         bob closes exchange
         bob => exchange    REGISTER exchange
         exchange => bob    200
         alice -> exchange  MESSAGE bob
         exchange => bob    MESSAGE
         bob => exchange    200
         exchange -> alice  200",
    );
}

#[test]
fn one_connection_is_gone_and_the_other_place_still_rings() {
    check(
        "given bob registered over tcp, bob2 registered
         bob closes exchange
         alice -> exchange  INVITE bob
         exchange => bob    INVITE
         exchange -> bob2   INVITE
         bob2 -> exchange   486
         exchange -> bob2   ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn a_cancelled_call_is_not_tried_over_another_flow() {
    check(
        "given host:there.test is peer
         alice -> exchange  INVITE sip:x@there.test
             Body: 1400 bytes
         exchange => peer   INVITE                      ; stuck
         alice -> exchange  CANCEL
         exchange -> alice  200 CANCEL
         peer refuses
         exchange -> alice  487 INVITE
         alice -> exchange  ACK",
    );
}

#[test]
fn a_large_request_for_a_stream_tries_it_once() {
    check(
        "given host:there.test is peer
         alice -> exchange  MESSAGE sip:x@there.test;transport=tcp
             Body: 1400 bytes
         exchange => peer   MESSAGE                     ; refused
         exchange -> alice  500",
    );
}

#[test]
fn two_lookups_at_a_time() {
    check(
        "given exchange trusts everybody, exchange asks slowly, host:one.test is peer1, host:two.test is peer2
         alice -> exchange  MESSAGE sip:x@one.test
         alice -> exchange  MESSAGE sip:x@two.test
         +50ms exchange -> peer1  MESSAGE
         exchange -> peer2  MESSAGE
         peer1 -> exchange  200
         peer2 -> exchange  200
         exchange -> alice  200, 200",
    );
}

#[test]
fn the_connection_closes_before_the_answer_comes() {
    check(
        "given bob registered over tcp, bob2 registered
         alice -> exchange  INVITE bob
         exchange => bob    INVITE
         exchange -> bob2   INVITE
         bob2 -> exchange   180
         exchange -> alice  180
         +1s bob closes exchange
         bob2 -> exchange   486
         exchange -> bob2   ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

/// What belongs to a call goes over the connection that the phone has now, to the phone of the call alone, and to nobody who is not
/// registered: whoever sends it has proved nothing.
#[test]
fn a_bye_follows_a_phone_to_its_new_connection() {
    let call = "given bob registered over tcp
         alice -> exchange  INVITE bob
         exchange => bob    INVITE
         bob => exchange    200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange => bob    ACK
         bob closes exchange";
    check(&format!(
        "{call}
         +5s bob => exchange  REGISTER exchange
         exchange => bob    200
         alice -> exchange  BYE
         exchange => bob    BYE                         ; refused
         exchange => bob    BYE
             Request-URI: sip:bob@{{bob}};transport=tcp
         bob => exchange    200
         exchange -> alice  200"
    ));
    check(&format!(
        "{call}
         alice -> exchange  BYE
         exchange => bob    BYE                         ; refused
         exchange => bob    BYE                         ; refused
         exchange -> alice  480"
    ));
    check(&format!(
        "{call}
         bob2 -> exchange   REGISTER exchange
         exchange -> bob2   200
         alice -> exchange  INFO
             Request-URI: sip:bob@{{bob2}}
         exchange => bob    INFO                        ; refused
         exchange -> bob2   INFO
         bob2 -> exchange   481
         exchange -> alice  481
         alice -> exchange  INFO
             Request-URI: sip:peer@{{peer}}
         exchange => bob    INFO                        ; refused
         exchange -> alice  480
         peer -> exchange   OPTIONS exchange
         exchange -> peer   200"
    ));
}
