//! One user at several places.

use simnet::check;

#[test]
fn all_ring_and_one_answers() {
    check(
        "given bob registered, bob2 registered, bob3 registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
             Request-URI: sip:bob@{bob}
         exchange -> bob2   INVITE
             Request-URI: sip:bob@{bob2}
         exchange -> bob3   INVITE
         bob -> exchange    180
         exchange -> alice  180
             To: *;tag=bob
         bob2 -> exchange   180
         exchange -> alice  180
             To: *;tag=bob2
         bob2 -> exchange   200
         exchange -> alice  200
         exchange -> bob    CANCEL
         bob -> exchange    200 CANCEL, 487 INVITE
         exchange -> bob    ACK
         bob3 -> exchange   180
         exchange -> bob3   CANCEL
         bob3 -> exchange   200 CANCEL, 487 INVITE
         exchange -> bob3   ACK
         alice -> exchange  ACK
         exchange -> bob2   ACK
         alice -> exchange  BYE
         exchange -> bob2   BYE
         bob2 -> exchange   200
         exchange -> alice  200",
    );
}

#[test]
fn two_answer_and_both_get_through() {
    check(
        "given bob registered, bob2 registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         exchange -> bob2   INVITE
         bob2 -> exchange   180
         exchange -> alice  180
         bob -> exchange    200
         exchange -> alice  200
             To: *;tag=bob
         exchange -> bob2   CANCEL
         bob2 -> exchange   200 INVITE
         exchange -> alice  200
             To: *;tag=bob2
         bob2 -> exchange   481 CANCEL
         alice -> exchange  ACK, BYE
         exchange -> bob2   ACK, BYE
         bob2 -> exchange   200
         exchange -> alice  200 BYE",
    );
}

#[test]
fn one_after_the_other_by_preference() {
    check(
        "given bob registered ;q=0.1, bob2 registered, bob3 registered ;q=0.7, bob4 registered ;q=0.7
         alice -> exchange  INVITE bob
         exchange -> bob2   INVITE
         bob2 -> exchange   486
         exchange -> bob2   ACK
         exchange -> bob3   INVITE
         exchange -> bob4   INVITE
         bob4 -> exchange   180
         exchange -> alice  180
         bob4 -> exchange   480
         exchange -> bob4   ACK
         bob3 -> exchange   404
         exchange -> bob3   ACK
         exchange -> bob    INVITE
         bob -> exchange    200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob    ACK",
    );
}

#[test]
fn the_first_of_equal_refusals_goes_back() {
    check(
        "given bob registered, bob2 registered ;q=0.5
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    486
         exchange -> bob    ACK
         exchange -> bob2   INVITE
         bob2 -> exchange   404
         exchange -> bob2   ACK
         exchange -> alice  486
             To: *;tag=bob
         alice -> exchange  ACK",
    );
}

#[test]
fn the_better_of_two_refusals_goes_back() {
    for (better, worse) in
        [("302", "486"), ("486", "500"), ("415", "486"), ("486", "408"), ("500", "503"), ("486", "503")]
    {
        for (first, second) in [(better, worse), (worse, better)] {
            check(&format!(
                "given bob registered, bob2 registered
                 alice -> exchange  INVITE bob
                 exchange -> bob    INVITE
                 exchange -> bob2   INVITE
                 bob -> exchange    {first}
                 exchange -> bob    ACK
                 bob2 -> exchange   {second}
                 exchange -> bob2   ACK
                 exchange -> alice  {better}
                 alice -> exchange  ACK"
            ));
        }
    }
}

#[test]
fn challenges_of_all_branches_go_back_together() {
    check(
        "given bob registered, bob2 registered, bob3 registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         exchange -> bob2      INVITE
         exchange -> bob3      INVITE
         bob -> exchange       401
             WWW-Authenticate: Digest realm=\"one\", nonce=\"1\"
         exchange -> bob       ACK
         bob2 -> exchange      407
             Proxy-Authenticate: Digest realm=\"two\", nonce=\"2\"
         exchange -> bob2      ACK
         bob3 -> exchange      401
             WWW-Authenticate: Digest realm=\"three\", nonce=\"3\"
         exchange -> bob3      ACK
         exchange -> stranger  401
             WWW-Authenticate: Digest realm=\"one\", nonce=\"1\"
             WWW-Authenticate: Digest realm=\"three\", nonce=\"3\"
             WWW-Authenticate: -
             Proxy-Authenticate: Digest realm=\"two\", nonce=\"2\"
             Proxy-Authenticate: -
         stranger -> exchange  ACK",
    );
    check(
        "given bob registered, bob2 registered
         stranger -> exchange  INVITE bob
         exchange -> bob       INVITE
         exchange -> bob2      INVITE
         bob -> exchange       401
             WWW-Authenticate: Digest realm=\"one\", nonce=\"1\"
         exchange -> bob       ACK
         bob2 -> exchange      302
         exchange -> bob2      ACK
         exchange -> stranger  302
             WWW-Authenticate: -
         stranger -> exchange  ACK",
    );
}

#[test]
fn a_6xx_stops_everything() {
    check(
        "given bob registered, bob2 registered, bob3 registered ;q=0.5
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         exchange -> bob2   INVITE
         bob2 -> exchange   180
         exchange -> alice  180
         bob -> exchange    603
         exchange -> bob    ACK
         exchange -> bob2   CANCEL
         bob2 -> exchange   200 CANCEL, 487 INVITE
         exchange -> bob2   ACK
         exchange -> alice  603
         alice -> exchange  ACK",
    );
}

#[test]
fn a_200_wins_against_a_6xx_that_came_before() {
    check(
        "given bob registered, bob2 registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         exchange -> bob2   INVITE
         bob2 -> exchange   180
         exchange -> alice  180
         bob -> exchange    603
         exchange -> bob    ACK
         exchange -> bob2   CANCEL
         bob2 -> exchange   200 INVITE
         exchange -> alice  200 INVITE
         bob2 -> exchange   200 CANCEL
         alice -> exchange  ACK
         exchange -> bob2   ACK",
    );
}

#[test]
fn one_is_silent_and_the_other_refuses() {
    check(
        "given bob registered, bob2 registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         exchange -> bob2   INVITE
         bob2 -> exchange   486
         exchange -> bob2   ACK
         +200ms exchange -> alice  100
         +300ms exchange -> bob  INVITE
         +1s exchange -> bob  INVITE
         +2s exchange -> bob  INVITE
         +4s exchange -> bob  INVITE
         +8s exchange -> bob  INVITE
         +16s exchange -> bob  INVITE
         +500ms exchange -> alice  486
         alice -> exchange  ACK",
    );
}

#[test]
fn a_message_goes_everywhere_and_its_first_200_back() {
    check(
        "given bob registered, bob2 registered
         alice -> exchange  MESSAGE bob
         exchange -> bob    MESSAGE
         exchange -> bob2   MESSAGE
         bob2 -> exchange   200
         exchange -> alice  200
         bob -> exchange    200",
    );
    check(
        "given bob registered, bob2 registered ;q=0.5
         alice -> exchange  MESSAGE bob
         exchange -> bob    MESSAGE
         bob -> exchange    200
         exchange -> alice  200",
    );
}

#[test]
fn at_most_ten_contacts_ring() {
    let mut ladder = "given".to_owned();
    for n in 0..10 {
        ladder += &format!(" bob{n} registered{}", if n == 9 { "\n" } else { "," });
    }
    ladder += "bob10 -> exchange REGISTER exchange
               exchange -> bob10 403
               stranger -> exchange MESSAGE bob\n";
    for n in 0..10 {
        ladder += &format!("exchange -> bob{n} MESSAGE\n");
    }
    for n in 0..10 {
        ladder += &format!("bob{n} -> exchange 200\n{}", if n == 0 { "exchange -> stranger 200\n" } else { "" });
    }
    check(&ladder);
}

#[test]
fn a_place_that_is_tried_late_has_its_whole_time() {
    check(
        "given bob registered, bob2 registered ;q=0.5
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
         bob -> exchange    180
         exchange -> alice  180
         +30s bob -> exchange  486
         exchange -> bob    ACK
         exchange -> bob2   INVITE
         +500ms exchange -> bob2  INVITE
         +1s exchange -> bob2  INVITE
         +1s bob2 -> exchange  180
         exchange -> alice  180
         +5s bob2 -> exchange  200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob2   ACK",
    );
}

#[test]
fn phones_that_the_caller_does_not_want_are_left_out() {
    check(
        "given bob registered ;mobility=\"mobile\", bob2 registered ;mobility=\"fixed\";methods=\"INVITE,MESSAGE\"
         stranger -> exchange  MESSAGE bob
             Reject-Contact: *;mobility=\"mobile\"
         exchange -> bob2      MESSAGE
         bob2 -> exchange      200
         exchange -> stranger  200
         stranger -> exchange  SUBSCRIBE bob
             Event: presence
         exchange -> bob       SUBSCRIBE
         bob -> exchange       489
         exchange -> stranger  489",
    );
}
