//! Whole phones at a whole exchange.

use simnet::check;

#[test]
fn register_call_speak_and_hang_up() {
    check(
        "given alice has a phone, bob has a registered phone
         alice registers
         alice -> exchange  REGISTER
         exchange -> alice  401
         alice -> exchange  REGISTER
         exchange -> alice  200
         +1s alice dials bob
         alice -> exchange  INVITE
         exchange -> alice  407
         alice -> exchange  ACK, INVITE
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +2s bob answers
         bob -> exchange    200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob    ACK
         +5s alice hangs up
         alice -> exchange  BYE
         exchange -> bob    BYE
         bob -> exchange    200
         exchange -> alice  200
         +1s alice heard bob
         bob heard alice",
    );
}

#[test]
fn the_callee_hangs_up() {
    check(
        "given alice has a registered phone, bob has a registered phone
         alice dials bob
         alice -> exchange  INVITE
         exchange -> alice  407
         alice -> exchange  ACK, INVITE
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         bob answers
         bob -> exchange    200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob    ACK
         +3s bob hangs up
         bob -> exchange    BYE
         exchange -> alice  BYE
         alice -> exchange  200
         exchange -> bob    200
         +1s alice heard bob
         bob heard alice",
    );
}

#[test]
fn declined() {
    check(
        "given alice has a registered phone, bob has a registered phone
         alice dials bob
         alice -> exchange  INVITE
         exchange -> alice  407
         alice -> exchange  ACK, INVITE
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +1s bob declines
         bob -> exchange    603
         exchange -> bob    ACK
         exchange -> alice  603
         alice -> exchange  ACK",
    );
}

#[test]
fn cancelled() {
    check(
        "given alice has a registered phone, bob has a registered phone
         alice dials bob
         alice -> exchange  INVITE
         exchange -> alice  407
         alice -> exchange  ACK, INVITE
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +1s alice hangs up
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
fn directly_and_without_any_server() {
    check(
        "given alice has a phone, bob has a phone
         alice dials sip:bob@{bob} directly
         alice -> bob  INVITE
         bob -> alice  180
         +1s bob answers
         bob -> alice  200
         alice -> bob  ACK
         +3s bob hangs up
         bob -> alice  BYE
         alice -> bob  200
         +1s alice heard bob
         bob heard alice",
    );
}

#[test]
fn over_streams_and_between_a_stream_and_datagrams() {
    check(
        "given alice has a registered phone on tcp, bob has a registered phone on tcp, carol has a registered phone
         alice dials bob
         alice => exchange  INVITE
         exchange => alice  407
         alice => exchange  ACK, INVITE
         exchange => bob    INVITE
         bob => exchange    180
         exchange => alice  180
         bob declines
         bob => exchange    603
         exchange => bob    ACK
         exchange => alice  603
         alice => exchange  ACK
         +1s carol dials bob
         carol -> exchange  INVITE
         exchange -> carol  407
         carol -> exchange  ACK, INVITE
         exchange => bob    INVITE
         bob => exchange    180
         exchange -> carol  180
         bob answers
         bob => exchange    200
         exchange -> carol  200
         carol -> exchange  ACK
         exchange => bob    ACK
         +3s bob hangs up
         bob => exchange    BYE
         exchange -> carol  BYE
         carol -> exchange  200
         exchange => bob    200
         +1s carol heard bob
         bob heard carol",
    );
}

#[test]
fn a_phone_and_its_twin_ring_and_one_is_answered() {
    check(
        "given alice has a registered phone, bob has a registered phone, bob2 has a registered phone
         alice dials bob
         alice -> exchange  INVITE
         exchange -> alice  407
         alice -> exchange  ACK, INVITE
         exchange -> bob    INVITE
         exchange -> bob2   INVITE
         bob -> exchange    180
         bob2 -> exchange   180
         exchange -> alice  180, 180
         +1s bob2 answers
         bob2 -> exchange   200
         exchange -> alice  200
         exchange -> bob    CANCEL
         alice -> exchange  ACK
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob2   ACK
         exchange -> bob    ACK
         +3s alice hangs up
         alice -> exchange  BYE
         exchange -> bob2   BYE
         bob2 -> exchange   200
         exchange -> alice  200
         +1s alice heard bob2
         bob2 heard alice",
    );
}

#[test]
fn a_text_to_somebody_who_has_gone() {
    check(
        "given alice has a registered phone, bob has a registered phone
         alice texts bob
         alice -> exchange  MESSAGE
         exchange -> alice  407
         alice -> exchange  MESSAGE
         exchange -> bob    MESSAGE
         bob -> exchange    200
         exchange -> alice  200
         +1s bob unregisters
         bob -> exchange    REGISTER
         exchange -> bob    200
             Contact: -
         alice texts bob
         alice -> exchange  MESSAGE
         exchange -> alice  407
         alice -> exchange  MESSAGE
         exchange -> alice  480",
    );
}
