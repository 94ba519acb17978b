//! Users whose calls go elsewhere.

use simnet::check;

#[test]
fn every_call_goes_to_somebody_else() {
    check(
        "given bob registered, bob forwards always to carol, carol registered
         alice -> exchange  INVITE bob
         exchange -> carol  INVITE
             Diversion: <sip:bob@example.org>;reason=unconditional;counter=1
             History-Info: <sip:bob@example.org?Reason=SIP%3Bcause%3D302>;index=1
             History-Info: <sip:carol@example.org;cause=302>;index=1.1;mp=1
         carol -> exchange  486
         exchange -> carol  ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn messages_are_not_forwarded() {
    check(
        "given bob registered, bob forwards always to carol, carol registered
         alice -> exchange  MESSAGE bob
         exchange -> bob    MESSAGE
             Diversion: -
         bob -> exchange    200
         exchange -> alice  200",
    );
}

#[test]
fn when_busy() {
    check(
        "given bob registered, bob2 registered, bob forwards busy to carol, carol registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         exchange -> bob2   INVITE
         bob2 -> exchange   180
         exchange -> alice  180
         bob -> exchange    486
         exchange -> bob    ACK
         bob2 -> exchange   486
         exchange -> bob2   ACK
         exchange -> carol  INVITE
             Diversion: <sip:bob@example.org>;reason=user-busy;counter=1
         carol -> exchange  200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> carol  ACK
         carol -> exchange  BYE
         exchange -> alice  BYE
         alice -> exchange  200
         exchange -> carol  200",
    );
}

#[test]
fn when_nobody_answers() {
    check(
        "given bob registered, bob forwards silence to carol, carol registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +20s exchange -> bob  CANCEL
         exchange -> carol  INVITE
             Diversion: <sip:bob@example.org>;reason=no-answer;counter=1
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob    ACK
         carol -> exchange  603
         exchange -> carol  ACK
         exchange -> alice  603
         alice -> exchange  ACK",
    );
}

#[test]
fn when_nothing_is_registered() {
    check(
        "given bob forwards absence to carol, carol registered
         alice -> exchange  INVITE bob
         exchange -> carol  INVITE
             Diversion: <sip:bob@example.org>;reason=unavailable;counter=1
         carol -> exchange  486
         exchange -> carol  ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn from_one_to_the_next() {
    check(
        "given bob forwards always to carol, carol forwards always to dave, dave registered
         alice -> exchange  INVITE bob
         exchange -> dave   INVITE
             Diversion: <sip:carol@example.org>;reason=unconditional;counter=1
             Diversion: <sip:bob@example.org>;reason=unconditional;counter=1
         dave -> exchange   486
         exchange -> dave   ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn in_a_circle_it_goes_nowhere() {
    check(
        "given bob forwards always to carol, carol forwards absence to bob
         alice -> exchange  INVITE bob
         exchange -> alice  480
         alice -> exchange  ACK",
    );
}

#[test]
fn away_from_here() {
    check(
        "given bob forwards always to sip:bob@there.test, host:there.test is peer
         stranger -> exchange  INVITE bob
         exchange -> peer      INVITE
             Request-URI: sip:bob@there.test
             Diversion: <sip:bob@example.org>;reason=unconditional;counter=1
         peer -> exchange      486
         exchange -> peer      ACK
         exchange -> stranger  486
         stranger -> exchange  ACK",
    );
}

#[test]
fn one_forward_after_another_is_told_once_and_in_order() {
    check(
        "given bob forwards always to carol, carol registered, carol forwards busy to tel:dave, dave registered
         alice -> exchange  INVITE bob
         exchange -> carol  INVITE
             History-Info: <sip:bob@example.org?Reason=SIP%3Bcause%3D302>;index=1
             History-Info: <sip:carol@example.org;cause=302>;index=1.1;mp=1
             History-Info: -
         carol -> exchange  486
         exchange -> carol  ACK
         exchange -> dave   INVITE
             History-Info: <sip:bob@example.org?Reason=SIP%3Bcause%3D302>;index=1
             History-Info: <sip:carol@example.org;cause=302?Reason=SIP%3Bcause%3D486>;index=1.1;mp=1
             History-Info: <tel:dave;cause=486>;index=1.1.1;mp=1.1
             History-Info: -
         dave -> exchange   486
         exchange -> dave   ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}
