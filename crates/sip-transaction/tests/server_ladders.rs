//! Server transactions through loss, silence and duplicates, in virtual time (RFC 3261 section 17.2, RFC 6026 section 7.1,
//! RFC 4320).

mod ladder;

use ladder::check;
use sip_message::Transport::{Tcp, Udp};

#[test]
fn an_invite_gets_its_100_after_200_ms_of_silence() {
    check(
        Udp,
        "
        0      <-  INVITE
        0      up  INVITE
        100    <-  INVITE          ; a duplicate, nothing to repeat yet
        200    ->  100
        500    <-  INVITE
        500    ->  100
        600    tu  180
        600    ->  180
        1500   <-  INVITE
        1500   ->  180             ; the most recent one
        2000   tu  200
        2000   ->  200
        2100   <-  ACK 2xx
        2100   up  ACK
        ",
    );
}

#[test]
fn the_tu_may_be_faster_than_that() {
    check(
        Udp,
        "
        0      <-  INVITE
        0      up  INVITE
        10     tu  100
        10     ->  100
        20     tu  183
        20     ->  183
        30     tu  404
        30     ->  404
        40     <-  ACK
        ",
    );
}

#[test]
fn a_refusal_is_repeated_until_its_ack() {
    check(
        Udp,
        "
        0      <-  INVITE
        0      up  INVITE
        0      tu  486
        0      ->  486
        100    <-  INVITE
        100    ->  486
        500    ->  486
        1500   ->  486
        3500   ->  486
        7500   ->  486
        8000   tu  500             ; too late
        8000   tu  200
        8000   tu  180
        9000   <-  ACK
        10000  <-  ACK             ; absorbed until timer I
        11000  <-  INVITE          ; overtaken by its ACK
        13999  <-  ACK
        14000  <-  ACK             ; now nobody knows what it is for
        14000  up  ACK
        ",
    );
}

#[test]
fn a_refusal_without_ack_is_reported_after_64_t1() {
    check(
        Udp,
        "
        0      <-  INVITE
        0      up  INVITE
        0      tu  486
        0      ->  486
        500    ->  486
        1500   ->  486
        3500   ->  486
        7500   ->  486
        11500  ->  486
        15500  ->  486
        19500  ->  486
        23500  ->  486
        27500  ->  486
        31500  ->  486
        32000  up  AckMissing
        ",
    );
    check(
        Tcp,
        "
        0      <-  INVITE
        0      up  INVITE
        0      tu  486
        0      ->  486
        32000  up  AckMissing
        ",
    );
}

#[test]
fn over_a_stream_the_ack_ends_a_refused_invite() {
    check(
        Tcp,
        "
        0      <-  INVITE
        0      up  INVITE
        0      tu  486
        0      ->  486
        10     <-  ACK
        11     <-  ACK
        11     up  ACK
        ",
    );
}

#[test]
fn an_accepted_invite_absorbs_its_retransmissions_and_sends_the_2xx_of_the_tu() {
    for transport in [Udp, Tcp] {
        check(
            transport,
            "
            0      <-  INVITE
            0      up  INVITE
            10     tu  200
            10     ->  200
            500    <-  INVITE
            510    tu  200
            510    ->  200
            600    tu  486             ; too late
            600    tu  180
            700    <-  ACK             ; of a client that takes the INVITE's branch for it
            700    up  ACK
            800    <-  ACK 2xx
            800    up  ACK
            32009  <-  INVITE
            32010  tu  200             ; timer L has passed
            ",
        );
    }
}

#[test]
fn an_ack_before_the_final_response_is_ignored() {
    check(
        Udp,
        "
        0      <-  INVITE
        0      up  INVITE
        0      <-  ACK
        10     tu  200
        10     ->  200
        ",
    );
}

#[test]
fn a_cancel_finds_its_invite_and_is_answered_by_itself() {
    check(
        Udp,
        "
        0      <-  INVITE
        0      up  INVITE
        0      tu  100
        0      ->  100
        50     <-  CANCEL
        50     up  CANCEL found
        50     tu  200 CANCEL
        50     ->  200 CANCEL
        50     tu  487
        50     ->  487
        60     <-  CANCEL          ; retransmitted
        60     ->  200 CANCEL
        70     <-  ACK
        ",
    );
    check(
        Udp,
        "
        0      <-  CANCEL
        0      up  CANCEL lost
        0      tu  481 CANCEL
        0      ->  481 CANCEL
        ",
    );
}

#[test]
fn a_request_other_than_invite_is_answered_again_until_timer_j() {
    check(
        Udp,
        "
        0      <-  OPTIONS
        0      up  OPTIONS
        10     <-  OPTIONS         ; absorbed
        20     tu  200 OPTIONS
        20     ->  200 OPTIONS
        500    <-  OPTIONS
        500    ->  200 OPTIONS
        600    tu  500 OPTIONS     ; discarded
        32019  <-  OPTIONS
        32019  ->  200 OPTIONS
        32020  <-  OPTIONS         ; new: timer J has passed
        32020  up  OPTIONS
        32020  tu  200 OPTIONS
        32020  ->  200 OPTIONS
        ",
    );
    check(
        Tcp,
        "
        0      <-  OPTIONS
        0      up  OPTIONS
        20     tu  200 OPTIONS
        20     ->  200 OPTIONS
        21     <-  OPTIONS         ; nobody retransmits over a stream
        21     up  OPTIONS
        22     tu  200 OPTIONS
        22     ->  200 OPTIONS
        ",
    );
}

#[test]
fn over_udp_a_request_other_than_invite_gets_no_100_before_timer_e_is_at_t2() {
    check(
        Udp,
        "
        0      <-  OPTIONS
        0      up  OPTIONS
        100    tu  100 OPTIONS     ; RFC 4320: too early
        500    <-  OPTIONS
        1500   <-  OPTIONS
        3500   ->  100 OPTIONS
        3600   <-  OPTIONS
        3600   ->  100 OPTIONS
        4000   tu  180 OPTIONS     ; RFC 4320: only 100
        5000   tu  200 OPTIONS
        5000   ->  200 OPTIONS
        ",
    );
    check(
        Tcp,
        "
        0      <-  OPTIONS
        0      up  OPTIONS
        100    tu  100 OPTIONS
        100    ->  100 OPTIONS
        200    tu  183 OPTIONS
        300    tu  200 OPTIONS
        300    ->  200 OPTIONS
        ",
    );
}

#[test]
fn a_408_to_a_request_other_than_invite_is_not_sent() {
    check(
        Udp,
        "
        0      <-  OPTIONS
        0      up  OPTIONS
        3500   ->  100 OPTIONS
        32000  tu  408 OPTIONS
        33000  <-  OPTIONS         ; absorbed, unanswered
        33000  tu  200 OPTIONS     ; too late
        ",
    );
    check(
        Tcp,
        "
        0      <-  OPTIONS
        0      up  OPTIONS
        10     tu  408 OPTIONS
        ",
    );
}

#[test]
fn a_request_that_the_tu_never_answers_is_forgotten_when_its_client_is_gone() {
    check(
        Udp,
        "
        0      <-  OPTIONS
        0      up  OPTIONS
        3500   ->  100 OPTIONS
        35500  tu  200 OPTIONS     ; too late (RFC 4320 section 4.2)
        ",
    );
}
