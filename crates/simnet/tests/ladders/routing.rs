//! Route, Record-Route and strict routers.

use simnet::check;

#[test]
fn a_route_that_is_ours_goes_and_another_is_followed() {
    check(
        "given host:there.test is peer
         alice -> exchange  INVITE bob
             Route: <sip:{exchange};lr>, <sip:there.test;lr>, <sip:further.test;lr>
         exchange -> peer   INVITE
             Request-URI: sip:bob@example.org
             Route: <sip:there.test;lr>, <sip:further.test;lr>
             Route: -
         peer -> exchange   486
         exchange -> peer   ACK
             Route: <sip:there.test;lr>, <sip:further.test;lr>
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn only_our_route_means_the_request_uri() {
    check(
        "given bob registered
         alice -> exchange  MESSAGE bob
             Route: <sip:example.org;lr>
         exchange -> bob    MESSAGE
             Route: -
             Request-URI: sip:bob@{bob}
         bob -> exchange    200
         exchange -> alice  200",
    );
}

#[test]
fn the_next_hop_is_a_strict_router() {
    check(
        "given host:there.test is peer
         alice -> exchange  MESSAGE sip:x@far.test
             Route: <sip:there.test>
         exchange -> peer   MESSAGE
             Request-URI: sip:there.test
             Route: <sip:x@far.test>
             Route: -
         peer -> exchange   200
         exchange -> alice  200
         alice -> exchange  MESSAGE sip:x@far.test
             Route: <sip:there.test>, <sip:further.test;lr>
         exchange -> peer   MESSAGE
             Request-URI: sip:there.test
             Route: <sip:further.test;lr>
             Route: <sip:x@far.test>
             Route: -
         peer -> exchange   200
         exchange -> alice  200",
    );
}

#[test]
fn the_hop_before_is_a_strict_router() {
    check(
        "given bob registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  ACK
             Request-URI: {route uri}
             Route: <sip:bob@{bob}>
         exchange -> bob       ACK
             Request-URI: sip:bob@{bob}
             Route: -
         bob -> exchange       BYE
             Request-URI: {route uri}
             Route: <sip:stranger@{stranger}>
         exchange -> stranger  BYE
             Request-URI: sip:stranger@{stranger}
             Route: -
         stranger -> exchange  200
         exchange -> bob       200",
    );
}

#[test]
fn two_transports_two_record_routes() {
    check(
        "given bob registered over tcp
         alice -> exchange  INVITE bob
         exchange => bob    INVITE
             Record-Route: <sip:*@{exchange};transport=tcp;lr>
             Record-Route: <sip:*@{exchange};lr>
             Record-Route: -
         bob => exchange    200
         exchange -> alice  200
         alice -> exchange  ACK
             Route: {route}
         exchange => bob    ACK
             Route: -
         bob => exchange    BYE
         exchange -> alice  BYE
             Route: -
         alice -> exchange  200
         exchange => bob    200
         stranger => exchange  INVITE bob
         exchange => bob    INVITE
             Record-Route: <sip:*@{exchange};transport=tcp;lr>
             Record-Route: -
         bob => exchange    486
         exchange => bob    ACK
         exchange => stranger  486
         stranger => exchange  ACK",
    );
}

#[test]
fn two_routes_of_ours_count_as_one() {
    check(
        "given bob registered over tcp
         stranger -> exchange  INVITE bob
         exchange => bob       INVITE
         bob => exchange       200
         exchange -> stranger  200
         stranger -> exchange  ACK, BYE
         exchange => bob       ACK
             Route: -
         exchange => bob       BYE
             Route: -
         bob => exchange       200
         exchange -> stranger  200",
    );
}

#[test]
fn responses_go_where_the_request_came_from() {
    check(
        "stranger -> exchange  MESSAGE bob
             Via: SIP/2.0/UDP 192.0.2.99:7000;branch=z9hG4bK1;rport
         exchange -> stranger  480
             Via: SIP/2.0/UDP 192.0.2.99:7000;branch=z9hG4bK1;rport=5060;received=10.0.0.2",
    );
}

#[test]
fn a_dialog_through_another_proxy_behind_us() {
    check(
        "given host:there.test is peer
         alice -> exchange  INVITE bob
             Route: <sip:{exchange};lr>, <sip:there.test;lr>
         exchange -> peer   INVITE
         peer -> exchange   200
             Record-Route: <sip:there.test;lr>, {record routes}
         exchange -> alice  200
         alice -> exchange  ACK, BYE
         exchange -> peer   ACK
             Route: <sip:there.test;lr>
             Route: -
         exchange -> peer   BYE
             Route: <sip:there.test;lr>
             Route: -
         peer -> exchange   200
         exchange -> alice  200 BYE",
    );
}

#[test]
fn a_peer_that_breaks_our_token_breaks_its_dialog_only() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    200
             Record-Route: <sip:nonsense@{exchange};lr>
         exchange -> alice  200
         alice -> exchange  ACK, BYE
         exchange -> alice  407 BYE",
    );
}

#[test]
fn in_a_dialog_the_token_counts_and_not_the_request_uri() {
    check(
        "given bob registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       200
             Contact: <sip:{exchange}>
         exchange -> stranger  200
         stranger -> exchange  ACK, OPTIONS, REGISTER
         exchange -> bob       ACK, OPTIONS, REGISTER
         bob -> exchange       200 REGISTER, 200 OPTIONS
         exchange -> stranger  200 REGISTER, 200 OPTIONS",
    );
}

#[test]
fn a_response_that_has_lost_its_way_back() {
    for (status, answer) in [("180, 200", "502"), ("486", "486")] {
        let ack = if status == "486" { "exchange -> bob ACK" } else { "" };
        check(&format!(
            "given bob registered
             alice -> exchange  INVITE bob
             exchange -> bob    INVITE
             bob -> exchange    {status}
                 Via: {{top via}}
             {ack}
             {trying}
             exchange -> alice  {answer}
                 To: *;tag=*
                 Via: *;branch=z9hG4bK-alice*
             alice -> exchange  ACK",
            trying = if status == "486" { "" } else { "exchange -> alice 180" },
        ));
    }
}

#[test]
fn empty_routes_lead_nowhere() {
    check(
        "given bob registered
         stranger -> exchange  MESSAGE bob
             Route: ,
         exchange -> bob       MESSAGE
             Route: -
         bob -> exchange       200
         exchange -> stranger  200",
    );
}

#[test]
fn a_strict_router_behind_a_strict_router_leaves_no_empty_route() {
    check(
        "given bob registered, alice never signs, host:strict.test is peer
         alice -> exchange  INVITE bob
             From: <sip:alice@elsewhere.test>;tag=alice
         exchange -> bob    INVITE
         bob -> exchange    200
         exchange -> alice  200
         alice -> exchange  BYE
             From: <sip:alice@elsewhere.test>;tag=alice
             Request-URI: {route uri}
             Route: <sip:strict.test>, <sip:bob@example.org>
         exchange -> bob    BYE
             Request-URI: sip:strict.test
             Route: <sip:bob@example.org>
             Route: -
         bob -> exchange    200
         exchange -> alice  200",
    );
}

/// RFC 3261 section 16.5: a maddr says where a request goes, whomever it is for.
#[test]
fn a_maddr_of_somebody_else_leads_there() {
    check(
        "given bob registered, exchange trusts everybody, host:there.test is peer
         alice -> exchange  MESSAGE sip:bob@example.org;maddr=there.test
         exchange -> peer   MESSAGE
             Request-URI: sip:bob@example.org;maddr=there.test
         peer -> exchange   200
         exchange -> alice  200",
    );
}
