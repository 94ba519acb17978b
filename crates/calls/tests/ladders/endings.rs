use crate::world::check;
use calls::{Side, State};

const ANSWERED: &str = "
    alice INVITE
    -> started 0.1
    bob 180
    bob 200
    -> answered 0.1
    alice ACK
";

fn check_answered(rest: &str) -> crate::world::World {
    check(&format!("{ANSWERED}{rest}"))
}

#[test]
fn either_end_may_hang_up() {
    for (ladder, why) in [("alice BYE cseq=2", "HungUp(Caller)"), ("bob BYE cseq=1", "HungUp(Callee)")] {
        let world = check_answered(&format!("{ladder}\n-> ended 0.1 {why}\n bob BYE cseq=3\n alice BYE cseq=3"));
        assert_eq!((world.calls.len(), world.calls.calls_of("alice"), world.calls.calls_of("bob")), (0, 0, 0));
    }
}

#[test]
fn a_refusal_that_goes_back_ends_a_call_and_one_that_only_comes_does_not() {
    check(
        "alice INVITE
         -> started 0.1
         bob 180
         bob 486
         bob 603
         back 180
         back 200 method=OPTIONS
         back 486 method=OPTIONS
         back 486
         -> ended 0.1 Refused(486)
         back 486",
    );
}

#[test]
fn a_cancelled_call_was_cancelled_whatever_its_final_response_is() {
    for status in [487, 486, 408] {
        check(&format!("alice INVITE\n-> started 0.1\nalice CANCEL\nback {status}\n-> ended 0.1 Cancelled"));
    }
}

/// A proxy behind us that has come back to us with a branch of its own cancels that branch, not the call.
#[test]
fn the_cancel_of_another_branch_is_not_the_callers() {
    check("alice INVITE\n-> started 0.1\nalice CANCEL branch=2\nback 486\n-> ended 0.1 Refused(486)");
}

#[test]
fn an_answer_that_crosses_a_cancel_wins() {
    check(
        "alice INVITE
         -> started 0.1
         alice CANCEL
         bob 200
         -> answered 0.1
         alice ACK
         +66s
         bob BYE
         -> ended 0.1 HungUp(Callee)",
    );
}

#[test]
fn a_bye_in_an_early_dialog_gives_the_call_up() {
    check(
        "alice INVITE
         -> started 0.1
         bob 180
         alice BYE cseq=2
         back 487
         -> ended 0.1 HungUp(Caller)",
    );
}

#[test]
fn a_refused_reinvite_ends_nothing() {
    check_answered(
        "alice INVITE tag=b cseq=2\nback 488 cseq=2\nback 488 cseq=1\nalice BYE cseq=3\n-> ended 0.1 HungUp(Caller)",
    );
}

/// RFC 4028 section 8.3.
#[test]
fn a_session_that_is_not_refreshed_is_over() {
    check(
        "alice INVITE se=1800
         -> started 0.1
         bob 200 se=100;refresher=uac
         -> answered 0.1
         alice ACK
         +99s
         alice INVITE tag=b cseq=2 se=100
         bob 200 cseq=2 se=100;refresher=uac
         alice ACK cseq=2
         +99s
         bob UPDATE cseq=7 se=100
         alice 200 method=UPDATE cseq=7 se=100
         +99s
         bob INFO cseq=8
         alice INVITE tag=b cseq=3
         back 491 cseq=3
         +34s
         -> ended 0.1 Expired",
    );
}

/// RFC 4028 section 9: the most recent 2xx counts, also when it says nothing.
#[test]
fn a_refresh_without_an_interval_lets_the_session_last() {
    check(
        "alice INVITE
         -> started 0.1
         bob 200 se=100
         -> answered 0.1
         alice ACK
         alice UPDATE cseq=2
         bob 200 method=UPDATE cseq=2
         +10000s
         alice BYE cseq=3
         -> ended 0.1 HungUp(Caller)",
    );
}

/// RFC 4028 section 4: 90 seconds are the least.
#[test]
fn no_session_is_shorter_than_90_seconds() {
    check("alice INVITE\n-> started 0.1\nbob 200 se=1\n-> answered 0.1\nalice ACK\n+89s\n+34s\n-> ended 0.1 Expired");
}

#[test]
fn a_call_that_nothing_is_heard_of_is_lost() {
    check("alice INVITE\n-> started 0.1\nbob 180\n+800s\nbob 180\n+800s\n+134s\n-> ended 0.1 Lost");
    check_answered("+80000s\nalice INFO cseq=2\n+80000s\n+7000s\n-> ended 0.1 Lost");
}

/// Without a tag (RFC 2543) no later request could be told to belong to it.
#[test]
fn an_answer_without_a_tag_cannot_be_followed() {
    check("alice INVITE\n-> started 0.1\nbob 200 tag=-\n-> ended 0.1 Lost\nalice ACK");
}

#[test]
fn what_the_list_says_of_a_call() {
    let mut world = check(ANSWERED);
    let began = world.now.wall;
    world.run("+5s\nalice INVITE call=2 to=carol\n-> started 0.2\nbob 180 call=2 to=carol");
    let listed: Vec<String> = world.calls.list().map(|call| format!("{} {:?}", call.id(), call.state())).collect();
    assert_eq!(listed, ["0.1 Answered", "0.2 Ringing"]);
    let call = world.calls.get("0.1".parse().expect("a name")).expect("the call");
    assert_eq!((call.call_id(), call.state(), call.dialogs()), ("1", State::Answered, 1));
    assert_eq!((call.uri(Side::Caller), call.uri(Side::Callee)), ("sip:alice@example.com", "sip:bob@example.com"));
    assert_eq!((&*call.display_name(Side::Caller), &*call.display_name(Side::Callee)), ("Alice \"A\"", ""));
    assert_eq!((call.user(Side::Caller), call.user(Side::Callee)), (Some("alice"), Some("bob")));
    assert_eq!((call.began(), call.answered()), (began, Some(began)));
    assert_eq!(call.flow(Side::Callee), Some(crate::world::flow("bob")));
    for unknown in ["0.3", "1.1"] {
        let unknown = unknown.parse().expect("a name");
        assert!(world.calls.get(unknown).is_none() && !world.calls.hang_up(world.now, unknown, ""));
    }
    for bad in ["", "1", "0.x", "x.1", "0.1.2", "70000.1"] {
        assert!(bad.parse::<calls::Id>().is_err(), "{bad}");
    }
}
