//! Callers who give up, and calls that ring too long.

use simnet::check;

#[test]
fn before_anybody_has_said_anything() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         alice -> exchange  CANCEL
         exchange -> alice  200 CANCEL
         bob -> exchange    180
         exchange -> bob    CANCEL
         exchange -> alice  180
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob    ACK
         exchange -> alice  487 INVITE
         alice -> exchange  ACK",
    );
}

#[test]
fn while_it_rings() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +5s alice -> exchange  CANCEL
         exchange -> alice  200 CANCEL
         exchange -> bob    CANCEL
         +100ms alice -> exchange  CANCEL again
         exchange -> alice  200 CANCEL
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob    ACK
         exchange -> alice  487 INVITE
         alice -> exchange  ACK",
    );
}

/// RFC 3261 section 8.2.2.3: Require and Proxy-Require do not count in a CANCEL.
#[test]
fn what_a_cancel_requires_does_not_matter() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         alice -> exchange  CANCEL
             Proxy-Require: nobodyHasThis
             Require: nobodyHasThis
         exchange -> alice  200 CANCEL
         exchange -> bob    CANCEL
             Proxy-Require: -
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob    ACK
         exchange -> alice  487 INVITE
         alice -> exchange  ACK",
    );
}

#[test]
fn the_answer_crosses_the_cancel_and_still_arrives() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         alice -> exchange  CANCEL
         exchange -> alice  200 CANCEL
         exchange -> bob    CANCEL
         bob -> exchange    200 INVITE
         exchange -> alice  200 INVITE
         bob -> exchange    481 CANCEL
         alice -> exchange  ACK, BYE
         exchange -> bob    ACK, BYE
         bob -> exchange    200 BYE
         exchange -> alice  200 BYE",
    );
}

#[test]
fn after_the_answer_it_is_too_late() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    200
         exchange -> alice  200
         alice -> exchange  CANCEL
         exchange -> alice  200 CANCEL
         alice -> exchange  ACK
         exchange -> bob    ACK",
    );
}

#[test]
fn of_a_call_that_nobody_knows() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob                  ; lost
         alice -> exchange  CANCEL
         exchange -> alice  481 CANCEL",
    );
}

#[test]
fn the_callee_never_reacts() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         alice -> exchange  CANCEL
         exchange -> alice  200 CANCEL
         exchange -> bob    CANCEL
         bob -> exchange    200 CANCEL
         +32s exchange -> alice  487 INVITE
         alice -> exchange  ACK",
    );
}

#[test]
fn the_rest_of_a_serial_fork_is_not_tried() {
    check(
        "given bob registered, bob2 registered ;q=0.5
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
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
fn while_the_exchange_looks_for_bindings() {
    check(
        "given bob registered, exchange asks slowly
         stranger -> exchange  INVITE bob
         +20ms stranger -> exchange  CANCEL
         exchange -> stranger  200 CANCEL
         exchange -> stranger  487 INVITE
         +500ms exchange -> stranger  487 INVITE
         stranger -> exchange  ACK",
    );
}

#[test]
fn while_the_exchange_looks_for_a_host() {
    check(
        "given exchange asks slowly, alice signs when asked, host:there.test is peer
         alice -> exchange  INVITE sip:x@there.test
         exchange -> alice  407
         alice -> exchange  ACK
         alice -> exchange  INVITE sip:x@there.test
         +70ms alice -> exchange  CANCEL
         exchange -> alice  200 CANCEL
         exchange -> alice  487 INVITE
         alice -> exchange  ACK",
    );
}

#[test]
fn timer_c_ends_what_rings_for_three_minutes() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +192s exchange -> bob  CANCEL
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob    ACK
         exchange -> alice  487 INVITE
         alice -> exchange  ACK",
    );
}

#[test]
fn timer_c_begins_anew_with_each_ringing() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +150s bob -> exchange  180 again
         exchange -> alice  180
         +202s exchange -> bob  CANCEL
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob    ACK
         exchange -> alice  487 INVITE
         alice -> exchange  ACK",
    );
}

#[test]
fn timer_c_and_then_the_next_target() {
    check(
        "given bob registered, bob2 registered ;q=0.5
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +192s exchange -> bob  CANCEL
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob    ACK
         exchange -> bob2   INVITE
         bob2 -> exchange   200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob2   ACK",
    );
}

#[test]
fn trying_does_not_keep_a_call_alive() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +150s bob -> exchange  100
         +42s exchange -> bob  CANCEL
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob    ACK
         exchange -> alice  487 INVITE
         alice -> exchange  ACK",
    );
}

#[test]
fn while_the_callers_secrets_are_fetched() {
    check(
        "given bob registered, exchange asks slowly, alice signs when asked
         alice -> exchange  INVITE bob
         exchange -> alice  407
         alice -> exchange  ACK, INVITE bob
         +20ms alice -> exchange  CANCEL
         exchange -> alice  200 CANCEL, 487 INVITE
         alice -> exchange  ACK",
    );
}
