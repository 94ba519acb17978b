//! Calls through one exchange.

use simnet::check;

#[test]
fn a_call_and_the_way_of_its_later_requests() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
             Max-Forwards: 69
             Request-URI: sip:bob@{bob}
             Record-Route: <sip:*@{exchange};lr>
             Record-Route: -
         bob -> exchange    180
         exchange -> alice  180
             Record-Route: <sip:*@{exchange};lr>
         +2s bob -> exchange 200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob    ACK
             Route: -
             Request-URI: sip:bob@{bob}
             Max-Forwards: 69
         +10s alice -> exchange  INFO
         exchange -> bob    INFO
             Route: -
             Record-Route: -
         bob -> exchange    200
         exchange -> alice  200 INFO
         +10s bob -> exchange  BYE
         exchange -> alice  BYE
             Route: -
             Request-URI: sip:alice@{alice}
         alice -> exchange  200
         exchange -> bob    200 BYE",
    );
}

#[test]
fn a_reinvite_inside_the_call() {
    check(
        "given bob registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  ACK
         exchange -> bob       ACK
         +1s bob -> exchange   INVITE
         exchange -> stranger  INVITE
             Record-Route: -
         stranger -> exchange  200
         exchange -> bob       200
         bob -> exchange       ACK
         exchange -> stranger  ACK
         +1s stranger -> exchange  BYE
         exchange -> bob       BYE
         bob -> exchange       200
         exchange -> stranger  200",
    );
}

#[test]
fn trying_comes_within_200_ms() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         +200ms exchange -> alice  100
         +100ms alice -> exchange  INVITE again
         exchange -> alice  100
         +100ms bob -> exchange  180
         exchange -> alice  180
         alice -> exchange  INVITE again
         exchange -> alice  180
         bob -> exchange    486
         exchange -> bob    ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn the_callees_own_trying_stays_here() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    100, 183
         exchange -> alice  183
         bob -> exchange    486
         exchange -> bob    ACK
         exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn a_request_other_than_invite_gets_no_early_trying_and_no_408() {
    check(
        "given bob registered
         alice -> exchange  MESSAGE bob
         exchange -> bob    MESSAGE
         +500ms exchange -> bob  MESSAGE
         +1s exchange -> bob  MESSAGE
         +2s exchange -> bob  MESSAGE
         exchange -> alice  100
         +4s exchange -> bob  MESSAGE
         +4s exchange -> bob  MESSAGE
         +4s exchange -> bob  MESSAGE
         +4s exchange -> bob  MESSAGE
         +4s exchange -> bob  MESSAGE
         +4s exchange -> bob  MESSAGE
         +4s exchange -> bob  MESSAGE",
    );
}

#[test]
fn nobody_answers() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         +200ms exchange -> alice  100
         +300ms exchange -> bob  INVITE
         +1s exchange -> bob  INVITE
         +2s exchange -> bob  INVITE
         +4s exchange -> bob  INVITE
         +8s exchange -> bob  INVITE
         +16s exchange -> bob  INVITE
         +500ms exchange -> alice  408
         alice -> exchange  ACK",
    );
}

#[test]
fn nobody_is_registered() {
    check(
        "alice -> exchange     INVITE bob
         exchange -> alice     480
         alice -> exchange     ACK
         stranger -> exchange  INVITE nobody
         exchange -> stranger  480
         stranger -> exchange  ACK",
    );
}

#[test]
fn what_the_callee_says_goes_back_as_it_is() {
    for status in ["302", "404", "486", "500", "600", "603"] {
        check(&format!(
            "given bob registered
             alice -> exchange  INVITE bob
             exchange -> bob    INVITE
             bob -> exchange    {status}
                 Reason-Phrase: Gone Fishing
                 X-Bait: worms
             exchange -> bob    ACK
             exchange -> alice  {status}
                 Reason-Phrase: Gone Fishing
                 X-Bait: worms
                 To: *;tag=bob
             +500ms exchange -> alice  {status}
             alice -> exchange  ACK"
        ));
    }
}

#[test]
fn unavailable_speaks_of_one_hop_only() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    503
             Retry-After: 3600
         exchange -> bob    ACK
         exchange -> alice  500
             Retry-After: -
         alice -> exchange  ACK",
    );
}

#[test]
fn a_repeated_200_goes_on_and_so_does_its_ack() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob    ACK                         ; lost
         +500ms bob -> exchange  200 again
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob    ACK
         +33s bob -> exchange  200 again
         +1s bob -> exchange   BYE
         exchange -> alice  BYE
         alice -> exchange  200
         exchange -> bob    200",
    );
}

#[test]
fn a_provisional_response_after_the_200_is_late() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180, 200
         exchange -> alice  180, 200
         bob -> exchange    180 again
         alice -> exchange  ACK
         exchange -> bob    ACK",
    );
}

#[test]
fn a_lost_ack_to_a_refusal_has_it_sent_again() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    486
         exchange -> bob    ACK                         ; lost
         exchange -> alice  486
         alice -> exchange  ACK                         ; lost
         +500ms exchange -> alice  486
         bob -> exchange    486 again
         exchange -> bob    ACK
         alice -> exchange  ACK",
    );
}

#[test]
fn messages_and_questions_to_users() {
    check(
        "given bob registered
         alice -> exchange  MESSAGE bob
             Body: hello
         exchange -> bob    MESSAGE
             Body: 5 bytes
             Record-Route: -
         bob -> exchange    200
         exchange -> alice  200
         alice -> exchange  OPTIONS bob
         exchange -> bob    OPTIONS
         bob -> exchange    200
             X-Mood: fine
         exchange -> alice  200
             X-Mood: fine
         alice -> exchange  SUBSCRIBE bob
         exchange -> bob    SUBSCRIBE
             Record-Route: <sip:*@{exchange};lr>
         bob -> exchange    489
         exchange -> alice  489",
    );
}

#[test]
fn questions_to_the_exchange_itself() {
    check(
        "stranger -> exchange  OPTIONS exchange
         exchange -> stranger  200
             Allow: *INVITE*
             Accept: application/sdp
         stranger -> exchange  OPTIONS exchange
             Max-Forwards: 0
         exchange -> stranger  200
         stranger -> exchange  MESSAGE exchange
         exchange -> stranger  404
         stranger -> exchange  INVITE exchange
         exchange -> stranger  404
         stranger -> exchange  ACK",
    );
}

#[test]
fn without_record_route_the_phones_are_on_their_own() {
    check(
        "given bob registered, exchange stays out of dialogs
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
             Record-Route: -
         bob -> exchange    200
         exchange -> alice  200
         alice -> bob       ACK
         bob -> alice       BYE
         alice -> bob       200",
    );
}

#[test]
fn a_request_sent_twice_is_one() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob                  ; twice
         exchange -> bob    INVITE                      ; twice
         bob -> exchange    200                         ; twice
         exchange -> alice  200, 200
         alice -> exchange  ACK                         ; twice
         exchange -> bob    ACK, ACK
         alice -> exchange  BYE                         ; twice
         exchange -> bob    BYE
         bob -> exchange    200                         ; twice
         exchange -> alice  200",
    );
}

#[test]
fn users_by_number_and_by_any_of_our_names() {
    check(
        "given bob registered
         stranger -> exchange  MESSAGE tel:bob
         exchange -> bob       MESSAGE
             Request-URI: sip:bob@{bob}
         bob -> exchange       200
         exchange -> stranger  200
         stranger -> exchange  MESSAGE sip:%62ob@{exchange};user=phone
         exchange -> bob       MESSAGE
         bob -> exchange       200
         exchange -> stranger  200",
    );
}

#[test]
fn a_200_may_be_repeated_for_32_s_however_long_it_rang() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +20s bob -> exchange  200
         exchange -> alice  200
         +31s bob -> exchange  200 again
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob    ACK",
    );
}

#[test]
fn a_refusal_is_repeated_to_whoever_has_proved_to_be_there() {
    check(
        "given bob registered
         alice -> exchange     INVITE carol
         exchange -> alice     480
         +500ms exchange -> alice  480
         alice -> exchange     ACK
         stranger -> exchange  INVITE carol
         exchange -> stranger  480
         +1s stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         bob -> exchange       486
         exchange -> bob       ACK
         exchange -> stranger  486
         +500ms exchange -> stranger  486
         stranger -> exchange  ACK",
    );
}
