//! What outlives a restart of the exchange, and a store that fails: what was acknowledged, and nothing else.

use simnet::check;

#[test]
fn while_nothing_can_be_written_registers_get_a_503_and_calls_go_on() {
    check(
        "given alice registered
         exchange cannot write
         bob -> exchange       REGISTER exchange
         exchange -> bob       503
             Retry-After: *
             Contact: -
         alice -> exchange     REGISTER exchange
         exchange -> alice     503
             Retry-After: *
         stranger -> exchange  MESSAGE alice
         exchange -> alice     MESSAGE
         alice -> exchange     200
         exchange -> stranger  200
         stranger -> exchange  MESSAGE bob
         exchange -> stranger  480
         +10s exchange can write again
         bob -> exchange       REGISTER exchange
         exchange -> bob       200
             Contact: <sip:bob@{bob}>;expires=3600
         alice -> exchange     REGISTER exchange
         exchange -> alice     200",
    );
}

#[test]
fn a_register_is_acknowledged_when_it_is_durable_whatever_is_repeated_meanwhile() {
    check(
        "given exchange writes slowly, alice signs when asked
         alice -> exchange  REGISTER exchange
         exchange -> alice  401
         alice -> exchange  REGISTER exchange
         +30ms alice -> exchange  REGISTER again
         +60ms alice -> exchange  REGISTER again
         +10ms exchange -> alice  200
             Contact: <sip:alice@{alice}>;expires=3600
         +5ms alice -> exchange   REGISTER again
         exchange -> alice  200",
    );
}

#[test]
fn two_phones_of_one_user_register_while_the_store_is_slow() {
    check(
        "given exchange writes slowly
         alice -> exchange   REGISTER exchange
         alice2 -> exchange  REGISTER exchange
         +100ms exchange -> alice  200
             Contact: <sip:alice@{alice}>;expires=3600
             Contact: -
         +100ms exchange -> alice2  200
             Contact: <sip:alice@{alice}>;expires=3600
             Contact: <sip:alice@{alice2}>;expires=3600",
    );
}

#[test]
fn what_was_not_acknowledged_is_lost_and_asked_for_again() {
    check(
        "given exchange writes slowly
         alice -> exchange  REGISTER exchange
         +40ms exchange is killed
         +100ms exchange starts
         stranger -> exchange  MESSAGE alice
         exchange -> stranger  480
         +360ms alice -> exchange  REGISTER again
         exchange -> alice  401
             WWW-Authenticate: *, stale=true
         alice -> exchange  REGISTER exchange
         +100ms exchange -> alice  200
             Contact: <sip:alice@{alice}>;expires=3600",
    );
}

#[test]
fn killed_between_commit_and_200_the_repeated_register_is_acknowledged() {
    // The nonce was made in an earlier life, whose counts are gone: it is stale, and nobody is asked for a password.
    check(
        "given exchange writes slowly
         alice -> exchange  REGISTER exchange
         +60ms exchange is killed
         +100ms exchange starts
         stranger -> exchange  MESSAGE alice
         exchange -> alice     MESSAGE
         alice -> exchange     200
         exchange -> stranger  200
         +340ms alice -> exchange  REGISTER again
         exchange -> alice  401
             WWW-Authenticate: *, stale=true
         alice -> exchange  REGISTER exchange
         +100ms exchange -> alice  200
             Contact: <sip:alice@{alice}>;expires=3600
             Contact: -",
    );
}

#[test]
fn a_phone_whose_200_was_lost_in_a_restart_registers_by_itself() {
    check(
        "given exchange writes slowly, alice has a phone
         alice registers
         alice -> exchange  REGISTER
         exchange -> alice  401
         alice -> exchange  REGISTER
         +60ms exchange is killed
         +100ms exchange starts
         +340ms alice -> exchange  REGISTER
         exchange -> alice  401
         alice -> exchange  REGISTER
         +100ms exchange -> alice  200
             Contact: <sip:alice@{alice}>;expires=3600
             Contact: -",
    );
}

#[test]
fn bindings_keep_the_time_that_they_have_left() {
    check(
        "given bob registered
         +3000s exchange restarts
         +1s bob -> exchange  REGISTER exchange
             Contact: -
         exchange -> bob      401
         bob -> exchange      REGISTER exchange
             Contact: -
         exchange -> bob      200
             Contact: <sip:bob@{bob}>;expires=599
         +598s stranger -> exchange  MESSAGE bob
         exchange -> bob       MESSAGE
         bob -> exchange       200
         exchange -> stranger  200
         +1s stranger -> exchange  MESSAGE bob
         exchange -> stranger  480",
    );
}

#[test]
fn a_call_from_before_a_restart_hangs_up_after_it() {
    for who in ["alice", "bob"] {
        let other = if who == "alice" { "bob" } else { "alice" };
        check(&format!(
            "given bob registered
             alice -> exchange  INVITE bob
             exchange -> bob    INVITE
             bob -> exchange    180, 200
             exchange -> alice  180, 200
             alice -> exchange  ACK
             exchange -> bob    ACK
             +10s exchange restarts
             +10s {who} -> exchange  BYE
             exchange -> {other}     BYE
             {other} -> exchange     200
             exchange -> {who}       200"
        ));
    }
}

#[test]
fn phones_in_a_call_do_not_notice_a_restart() {
    check(
        "given alice has a registered phone, bob has a registered phone
         alice dials bob
         alice -> exchange  INVITE
         exchange -> alice  407
         alice -> exchange  ACK, INVITE
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +1s bob answers
         bob -> exchange    200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob    ACK
         +3s exchange is killed
         +2s exchange starts
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
fn a_phone_on_a_stream_hangs_up_over_its_new_one_after_a_restart() {
    check(
        "given alice has a registered phone, bob has a registered phone on tcp
         alice dials bob
         alice -> exchange  INVITE
         exchange -> alice  407
         alice -> exchange  ACK, INVITE
         exchange => bob    INVITE
         bob => exchange    180
         exchange -> alice  180
         +1s bob answers
         bob => exchange    200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange => bob    ACK
         +3s exchange restarts
         bob => exchange    REGISTER
         exchange => bob    401
         bob => exchange    REGISTER
         exchange => bob    200
         +3s bob hangs up
         bob => exchange    BYE
         exchange -> alice  BYE
         alice -> exchange  200
         exchange => bob    200
         +1s alice heard bob
         bob heard alice",
    );
}

#[test]
fn a_call_over_streams_hangs_up_after_a_restart() {
    check(
        "given alice has a registered phone on tcp, bob has a registered phone on tcp
         alice dials bob
         alice => exchange  INVITE
         exchange => alice  407
         alice => exchange  ACK, INVITE
         exchange => bob    INVITE
         bob => exchange    180
         exchange => alice  180
         +1s bob answers
         bob => exchange    200
         exchange => alice  200
         alice => exchange  ACK
         exchange => bob    ACK
         +3s exchange restarts
         alice => exchange  REGISTER
         bob => exchange    REGISTER
         exchange => alice  401
         exchange => bob    401
         alice => exchange  REGISTER
         bob => exchange    REGISTER
         exchange => alice  200
         exchange => bob    200
         +3s bob hangs up
         bob => exchange    BYE
         exchange => alice  BYE                         ; refused
         exchange => alice  BYE
         alice => exchange  200
         exchange => bob    200
         +1s alice heard bob
         bob heard alice",
    );
}

#[test]
fn a_phone_on_a_stream_is_called_over_its_new_one_after_a_restart() {
    check(
        "given bob registered over tcp
         exchange restarts
         alice -> exchange  MESSAGE bob
         exchange => bob    MESSAGE                     ; refused
         exchange -> alice  480
         bob => exchange    REGISTER exchange
         exchange => bob    401
         bob => exchange    REGISTER exchange
         exchange => bob    200
             Contact: <sip:bob@{bob};transport=tcp>;expires=3600
             Contact: -
         alice -> exchange  MESSAGE bob
         exchange => bob    MESSAGE
         bob => exchange    200
         exchange -> alice  200",
    );
}

#[test]
fn a_refresh_during_a_restart_is_repeated_until_it_is_heard() {
    check(
        "given alice registered
         +1000s exchange is killed
         alice -> exchange  REGISTER exchange
         +500ms alice -> exchange  REGISTER again
         +500ms exchange starts
         +500ms alice -> exchange  REGISTER again
         exchange -> alice  401
         alice -> exchange  REGISTER exchange
         exchange -> alice  200
             Contact: <sip:alice@{alice}>;expires=3600",
    );
}

#[test]
fn a_call_that_rings_during_a_restart_ends_at_both_ends() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +1s exchange restarts
         +1s alice -> exchange  CANCEL
         exchange -> alice  481 CANCEL
         bob -> exchange    200 INVITE
         +32s bob -> exchange    BYE
         exchange -> alice  BYE
         alice -> exchange  481
         exchange -> bob    481",
    );
}
