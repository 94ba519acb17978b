//! The other roles of an exchange: redirect server, stateless proxy, and one that has too much to do.

use server::Mode;
use simnet::{check, check_with};

#[test]
fn a_redirect_server_tells_where_its_users_are() {
    check_with(
        |config| config.mode = Mode::Redirect,
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> alice  302
             Contact: <sip:bob@{bob}>
             Contact: -
         alice -> exchange  ACK
         stranger -> exchange  MESSAGE bob
         exchange -> stranger  302
         stranger -> exchange  MESSAGE carol
         exchange -> stranger  480",
    );
}

#[test]
fn a_redirect_server_names_the_best_first() {
    check_with(
        |config| config.mode = Mode::Redirect,
        "given bob registered ;q=0.5, bob2 registered
         alice -> exchange  MESSAGE bob
         exchange -> alice  300
             Contact: <sip:bob@{bob2}>
             Contact: <sip:bob@{bob}>;q=0.500
             Contact: -",
    );
}

#[test]
fn a_redirect_server_redirects_nobody_elsewhere() {
    check_with(
        |config| config.mode = Mode::Redirect,
        "given host:there.test is peer
         alice -> exchange  MESSAGE sip:x@there.test
         exchange -> alice  404",
    );
}

#[test]
fn a_stateless_proxy_keeps_nothing() {
    check_with(
        |config| config.mode = Mode::Stateless,
        "given bob registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
             Max-Forwards: 69
             Record-Route: <sip:*@{exchange};lr>
         stranger -> exchange  INVITE again
         exchange -> bob       INVITE
         bob -> exchange       180
         exchange -> stranger  180
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  ACK
         exchange -> bob       ACK
         bob -> exchange       BYE
         exchange -> stranger  BYE
         stranger -> exchange  200
         exchange -> bob       200",
    );
}

#[test]
fn a_stateless_proxy_passes_cancel_and_the_ack_to_a_refusal() {
    check_with(
        |config| config.mode = Mode::Stateless,
        "given bob registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       180
         exchange -> stranger  180
         stranger -> exchange  CANCEL
         exchange -> bob       CANCEL
         bob -> exchange       200 CANCEL
         exchange -> stranger  200 CANCEL
         bob -> exchange       487 INVITE
         exchange -> stranger  487 INVITE
         stranger -> exchange  ACK
         exchange -> bob       ACK",
    );
}

#[test]
fn a_stateless_proxy_goes_to_the_best_place_alone() {
    check_with(
        |config| config.mode = Mode::Stateless,
        "given bob registered ;q=0.5, bob2 registered, host:there.test is peer
         stranger -> exchange  MESSAGE bob
         exchange -> bob2      MESSAGE
         bob2 -> exchange      486
         exchange -> stranger  486
         alice -> exchange     MESSAGE sip:x@there.test
         exchange -> peer      MESSAGE
         peer -> exchange      200
         exchange -> alice     200
         stranger -> exchange  MESSAGE carol
         exchange -> stranger  480
         stranger -> exchange  MESSAGE sip:x@there.test
         exchange -> stranger  407",
    );
}

#[test]
fn sessions_must_last_for_a_while() {
    check(
        "given bob registered
         stranger -> exchange  INVITE bob
             Session-Expires: 60
             Supported: timer
         exchange -> stranger  422
             Min-SE: 90
         stranger -> exchange  ACK, INVITE bob
             Session-Expires: 90;refresher=uac
         exchange -> bob       INVITE
             Session-Expires: 90;refresher=uac
         bob -> exchange       486
         exchange -> bob       ACK
         exchange -> stranger  486
         stranger -> exchange  ACK",
    );
}

#[test]
fn whoever_has_too_much_to_do_refuses_what_is_new() {
    check(
        "given bob registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  ACK
         exchange -> bob       ACK
         exchange is overloaded
         alice -> exchange     INVITE bob
         exchange -> alice     503
             Retry-After: 10
         alice -> exchange     ACK
         stranger -> exchange  BYE
         exchange -> bob       BYE
         bob -> exchange       200
         exchange -> stranger  200",
    );
}

#[test]
fn what_the_exchange_itself_is_asked() {
    check(
        "alice -> exchange  OPTIONS exchange
         exchange -> alice  200
             Allow: INVITE, ACK, *
             Supported: path, outbound, gruu
         alice -> exchange  OPTIONS exchange
             Require: path, nothingSupportsThis
         exchange -> alice  420
             Unsupported: nothingSupportsThis
         alice -> exchange  MESSAGE exchange
         exchange -> alice  404
         alice -> exchange  NEWMETHOD exchange
         exchange -> alice  501",
    );
}

#[test]
fn what_asks_for_tls_goes_over_tls_only() {
    check(
        "given bob registered
         stranger -> exchange  MESSAGE sips:bob@example.org
         exchange -> stranger  416",
    );
    check_with(
        |config| config.tls = true,
        "given bob registered, bob2 registered over tls
         stranger => exchange  MESSAGE sips:bob@example.org
         exchange => bob2      MESSAGE
         bob2 => exchange      200
         exchange => stranger  200",
    );
}

#[test]
fn whoever_has_to_prove_who_they_are_has_a_transaction_even_with_a_stateless_proxy() {
    check_with(
        |config| config.mode = Mode::Stateless,
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         alice -> exchange  INVITE again
         exchange -> alice  180
         alice -> exchange  CANCEL
         exchange -> alice  200 CANCEL
         exchange -> bob    CANCEL
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob    ACK
         exchange -> alice  487 INVITE
         alice -> exchange  ACK",
    );
}

#[test]
fn a_strangers_redirection_is_hardly_longer_than_what_they_sent() {
    let long = "x".repeat(200);
    check_with(
        |config| config.mode = Mode::Redirect,
        &format!(
            "given bob registered, bob2 registered ;y=\"{long}\"
             stranger -> exchange  MESSAGE bob
             exchange -> stranger  300"
        ),
    );
}

#[test]
fn nobody_is_redirected_to_where_they_have_asked() {
    check_with(
        |config| config.mode = Mode::Redirect,
        "alice -> exchange     REGISTER exchange
             Contact: <sip:alice@example.org>, <sip:alice@{alice}>
         exchange -> alice     200
         stranger -> exchange  MESSAGE alice
         exchange -> stranger  302
             Contact: <sip:alice@{alice}>
             Contact: -",
    );
}
