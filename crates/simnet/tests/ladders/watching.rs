//! Calls are watched: they can be ended, and leave a record that says how they went.

use server::Mode;
use simnet::{check, check_with};

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
         exchange -> bob    200
         exchange tells bob hung up after 0 s
         exchange tells nothing",
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
         bob -> exchange    200
         exchange tells the operator ended it after 0 s",
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

/// The default mode watches, too: it stays in the path of calls.
#[test]
fn every_call_leaves_one_record_that_says_how_it_ended() {
    for (what, how) in [
        ("bob -> exchange 486\nexchange -> bob ACK\nexchange -> alice 486\nalice -> exchange ACK", "bob is busy"),
        ("bob -> exchange 603\nexchange -> bob ACK\nexchange -> alice 603\nalice -> exchange ACK", "bob declined"),
        (
            "bob -> exchange 180\nexchange -> alice 180\n+8s alice -> exchange CANCEL\nexchange -> alice 200 CANCEL\n\
             exchange -> bob CANCEL\nbob -> exchange 200 CANCEL, 487 INVITE\nexchange -> bob ACK\n\
             exchange -> alice 487 INVITE\nalice -> exchange ACK",
            "alice gave up after ringing for 8 s",
        ),
    ] {
        check(&format!(
            "given bob registered\nalice -> exchange INVITE bob\nexchange -> bob INVITE\n{what}\nexchange tells {how}\nexchange tells nothing"
        ));
    }
}

#[test]
fn a_call_to_nobody_leaves_a_record_of_those_who_are_known_only() {
    check(
        "alice -> exchange     INVITE bob
         exchange -> alice     480
         alice -> exchange     ACK
         exchange tells nobody is registered as bob
         stranger -> exchange  INVITE bob
         exchange -> stranger  480
         stranger -> exchange  ACK
         exchange tells nothing",
    );
}

#[test]
fn a_challenge_of_the_far_end_is_no_end_of_a_call() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    401
         exchange -> bob    ACK
         exchange -> alice  401
         alice -> exchange  ACK
         exchange tells nothing",
    );
}

#[test]
fn a_phone_that_does_not_answer_is_named() {
    check(
        "given bob registered
         alice -> exchange         INVITE bob
         exchange -> bob           INVITE  ; lost
         +200ms exchange -> alice  100
         +300ms exchange -> bob    INVITE  ; lost
         +1s exchange -> bob       INVITE  ; lost
         +2s exchange -> bob       INVITE  ; lost
         +4s exchange -> bob       INVITE  ; lost
         +8s exchange -> bob       INVITE  ; lost
         +16s exchange -> bob      INVITE  ; lost
         +500ms exchange -> alice  408
         alice -> exchange         ACK
         exchange tells bob's phone at {bob} did not answer within 32 s",
    );
}

/// RFC 3261 section 13.3.1.4: the callee repeats its 2xx, and gives up after 64*T1.
#[test]
fn an_ack_that_never_arrives_is_said_to_be_that() {
    check(
        "given bob registered
         alice -> exchange        INVITE bob
         exchange -> bob          INVITE
         bob -> exchange          200
             Contact: <sip:bob@192.0.2.99>
         exchange -> alice        200
         +500ms bob -> exchange   200 again
         exchange -> alice        200
         +1s bob -> exchange      200 again
         exchange -> alice        200
         +30s bob -> exchange     BYE
         exchange -> alice        BYE
         alice -> exchange        200
         exchange -> bob          200
         exchange tells ACK never arrived: 10.0.0.2 announced an address we cannot reach (192.0.2.99)",
    );
}

#[test]
fn a_draining_exchange_takes_no_new_calls_and_lets_others_go_on() {
    check(
        "given bob registered
         alice -> exchange     INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       200
         exchange -> alice     200
         exchange drains
         alice -> exchange     ACK
         exchange -> bob       ACK
         carol -> exchange     INVITE bob
         exchange -> carol     503
             Retry-After: 10
         carol -> exchange     ACK
         carol -> exchange     MESSAGE bob
         exchange -> bob       MESSAGE
         bob -> exchange       200
         exchange -> carol     200
         alice -> exchange     UPDATE
         exchange -> bob       UPDATE
         bob -> exchange       200
         exchange -> alice     200
         bob -> exchange       BYE
         exchange -> alice     BYE
         alice -> exchange     200
         exchange -> bob       200
         exchange takes calls again
         carol -> exchange     INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       486
         exchange -> bob       ACK
         exchange -> carol     486
         carol -> exchange     ACK",
    );
}
