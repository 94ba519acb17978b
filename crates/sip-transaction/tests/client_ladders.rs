//! Client transactions through loss, silence and failure, in virtual time (RFC 3261 section 17.1, RFC 6026 section 7.2).

mod ladder;

use ladder::check;
use sip_message::Transport::{Tcp, Udp};

#[test]
fn an_invite_nobody_answers_is_sent_seven_times_and_given_up_after_64_t1() {
    check(
        Udp,
        "
        0      tu  INVITE
        0      ->  INVITE
        500    ->  INVITE
        1500   ->  INVITE
        3500   ->  INVITE
        7500   ->  INVITE
        15500  ->  INVITE
        31500  ->  INVITE
        32000  up  Timeout
        ",
    );
    check(
        Tcp,
        "
        0      tu  INVITE
        0      ->  INVITE
        32000  up  Timeout
        ",
    );
}

#[test]
fn a_provisional_response_ends_retransmission_and_a_refusal_is_acknowledged_each_time() {
    check(
        Udp,
        "
        0      tu  INVITE
        0      ->  INVITE
        500    ->  INVITE          ; the first was lost
        600    <-  100
        600    up  100
        700    <-  180
        700    up  180
        60000  <-  486             ; timer B means nothing any more
        60000  ->  ACK
        60000  up  486
        60500  <-  486             ; the ACK was lost
        60500  ->  ACK
        60600  <-  180             ; overtaken
        91999  <-  486
        91999  ->  ACK
        92000  <-  486             ; timer D has passed
        92000  up  stray 486
        ",
    );
}

#[test]
fn over_a_stream_a_refused_invite_is_over_at_once() {
    check(
        Tcp,
        "
        0      tu  INVITE
        0      ->  INVITE
        100    <-  486
        100    ->  ACK
        100    up  486
        101    <-  486
        101    up  stray 486
        ",
    );
}

#[test]
fn every_2xx_goes_up_until_timer_m() {
    for transport in [Udp, Tcp] {
        check(
            transport,
            "
            0      tu  INVITE
            0      ->  INVITE
            100    <-  200
            100    up  200
            600    <-  200             ; again, or of another fork
            600    up  200
            700    <-  180
            700    <-  486
            700    tu  cancel
            700    tu  fails
            32099  <-  200
            32099  up  200
            32100  <-  200
            32100  up  stray 200
            ",
        );
    }
}

#[test]
fn a_cancel_waits_for_a_provisional_response() {
    check(
        Udp,
        "
        0      tu  INVITE
        0      ->  INVITE
        100    tu  cancel
        500    ->  INVITE
        600    <-  100
        600    up  100
        600    ->  CANCEL
        700    tu  cancel          ; once is enough
        1100   ->  CANCEL          ; lost, and a transaction of its own
        1200   <-  200 CANCEL
        1300   <-  487
        1300   ->  ACK
        1300   up  487
        ",
    );
}

#[test]
fn a_cancelled_invite_that_is_answered_anyway_is_answered() {
    check(
        Udp,
        "
        0      tu  INVITE
        0      ->  INVITE
        100    <-  180
        100    up  180
        200    tu  cancel
        200    ->  CANCEL
        201    <-  200             ; they crossed
        201    up  200
        202    <-  200 CANCEL
        ",
    );
    check(
        Udp,
        "
        0      tu  INVITE
        0      ->  INVITE
        100    tu  cancel
        200    <-  486
        200    ->  ACK
        200    up  486
        ",
    );
}

#[test]
fn a_cancelled_invite_without_final_response_ends_after_64_t1() {
    check(
        Tcp,
        "
        0      tu  INVITE
        0      ->  INVITE
        100    <-  180
        100    up  180
        200    tu  cancel
        200    ->  CANCEL
        300    <-  481 CANCEL
        400    <-  180
        400    up  180
        32200  up  Timeout
        32201  <-  487
        32201  up  stray 487
        ",
    );
}

#[test]
fn the_silence_of_a_cancel_is_not_the_invites() {
    check(
        Tcp,
        "
        0      tu  INVITE
        0      ->  INVITE
        100    <-  180
        100    up  180
        200    tu  cancel
        200    ->  CANCEL
        32000  <-  487
        32000  ->  ACK
        32000  up  487
        ",
    );
}

#[test]
fn a_request_other_than_invite_is_sent_up_to_every_t2_and_given_up_after_64_t1() {
    check(
        Udp,
        "
        0      tu  OPTIONS
        0      ->  OPTIONS
        500    ->  OPTIONS
        1500   ->  OPTIONS
        3500   ->  OPTIONS
        7500   ->  OPTIONS
        11500  ->  OPTIONS
        15500  ->  OPTIONS
        19500  ->  OPTIONS
        23500  ->  OPTIONS
        27500  ->  OPTIONS
        31500  ->  OPTIONS
        32000  up  Timeout
        ",
    );
    check(
        Tcp,
        "
        0      tu  OPTIONS
        0      ->  OPTIONS
        32000  up  Timeout
        ",
    );
}

#[test]
fn after_a_provisional_response_it_goes_on_at_t2() {
    check(
        Udp,
        "
        0      tu  BYE
        0      ->  BYE
        100    <-  100 BYE
        100    up  100 BYE
        500    ->  BYE
        4500   ->  BYE
        8500   ->  BYE
        9000   <-  200 BYE
        9000   up  200 BYE
        9500   <-  200 BYE         ; retransmitted: absorbed
        13999  <-  200 BYE
        14000  <-  200 BYE         ; timer K has passed
        14000  up  stray 200 BYE
        ",
    );
    check(
        Tcp,
        "
        0      tu  BYE
        0      ->  BYE
        100    <-  200 BYE
        100    up  200 BYE
        101    <-  200 BYE
        101    up  stray 200 BYE
        ",
    );
}

#[test]
fn a_failure_to_send_ends_the_transaction() {
    for method in ["INVITE", "OPTIONS"] {
        check(
            Udp,
            &format!(
                "
                0      tu  {method}
                0      ->  {method}
                10     tu  fails
                10     up  SendFailed
                11     tu  fails
                "
            ),
        );
    }
    check(
        Udp,
        "
        0      tu  INVITE
        0      ->  INVITE
        100    <-  486
        100    ->  ACK
        100    up  486
        110    tu  fails           ; the ACK: figure 5 of RFC 6026
        110    up  SendFailed
        ",
    );
}

#[test]
fn a_request_other_than_invite_is_not_cancelled() {
    check(
        Udp,
        "
        0      tu  OPTIONS
        0      ->  OPTIONS
        10     tu  cancel
        20     <-  200 OPTIONS
        20     up  200 OPTIONS
        ",
    );
}
