//! The call-stateful mode: calls are watched, and can be ended.

use server::Mode;
use simnet::check_with;

#[test]
fn a_watched_call_is_forgotten_when_it_ends() {
    check_with(
        |config| config.mode = Mode::CallStateful,
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         bob -> exchange    200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob    ACK
         bob -> exchange    BYE
         exchange -> alice  BYE
         alice -> exchange  200
         exchange -> bob    200",
    );
}

#[test]
fn the_exchange_ends_an_answered_call() {
    check_with(
        |config| config.mode = Mode::CallStateful,
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob    ACK
         exchange hangs up
         exchange -> bob    BYE
         exchange -> alice  BYE
             Reason: SIP;cause=200;text=\"ended by the operator\"
         alice -> exchange  200
         bob -> exchange    200",
    );
}

#[test]
fn the_exchange_ends_a_call_that_rings() {
    check_with(
        |config| config.mode = Mode::CallStateful,
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         exchange hangs up
         exchange -> bob    CANCEL
             Reason: SIP;cause=200;text=\"ended by the operator\"
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob    ACK
         exchange -> alice  487 INVITE
         alice -> exchange  ACK",
    );
}
