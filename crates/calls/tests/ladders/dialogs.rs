use crate::world::check;

#[test]
fn a_forked_call_is_one_call_and_ends_with_its_last_dialog() {
    let world = check(
        "alice INVITE
         -> started 0.1
         bob 180 tag=b1
         bob 180 tag=b2
         bob 180 tag=b3
         bob 200 tag=b2
         -> answered 0.1
         alice ACK tag=b2
         bob 200 tag=b1
         alice ACK tag=b1
         alice BYE tag=b2 cseq=2
         +66s",
    );
    let dialogs: Vec<usize> = world.calls.list().map(|call| call.dialogs()).collect();
    assert_eq!(dialogs, [1], "the early dialog is forgotten");
    let mut world = world;
    world.run("alice BYE tag=b3 cseq=2\nbob BYE tag=b1\n-> ended 0.1 HungUp(Callee)");
}

#[test]
fn each_answered_dialog_gets_its_byes() {
    check(
        "alice INVITE
         -> started 0.1
         bob 180 tag=b1
         bob 180 tag=b3
         bob UPDATE tag=b1 cseq=9
         bob 200 tag=b1
         -> answered 0.1
         bob 200 tag=b2 contact=<sip:bob@second>
         alice ACK tag=b1
         alice ACK tag=b2
         ops hang up 0.1
         -> bye bob over bob: sip:bob@10.0.0.2:5060 a>b1 2
         -> bye alice over alice: sip:alice@10.0.0.1:5060 b1>a 10
         -> bye bob over bob: sip:bob@second a>b2 2
         -> bye alice over alice: sip:alice@10.0.0.1:5060 b2>a 1
         -> ended 0.1 ByUs",
    );
}

#[test]
fn each_session_has_its_own_end() {
    check(
        "alice INVITE
         -> started 0.1
         bob 200 tag=b1 se=90
         -> answered 0.1
         bob 200 tag=b2 se=900
         alice ACK tag=b1
         alice ACK tag=b2
         +600s
         ops hang up 0.1
         -> bye bob over bob: sip:bob@10.0.0.2:5060 a>b2 2
         -> bye alice over alice: sip:alice@10.0.0.1:5060 b2>a 1
         -> ended 0.1 ByUs",
    );
}

/// A request that passes twice, with another branch each time, is one call; what its second pass is refused with is not the end.
#[test]
fn a_spiral_is_one_call() {
    check(
        "alice INVITE
         -> started 0.1
         alice INVITE branch=2 rr=proxy;lr,us
         bob 180
         back 486 branch=2
         bob 200
         -> answered 0.1
         bob 200 branch=2
         alice ACK
         alice ACK branch=2
         alice BYE cseq=2
         -> ended 0.1 HungUp(Caller)
         alice BYE cseq=2 branch=2",
    );
}

#[test]
fn a_new_try_after_a_challenge_is_a_new_call() {
    check(
        "alice INVITE
         -> started 0.1
         back 407
         -> ended 0.1 Refused(407)
         alice INVITE cseq=2
         -> started 0.2",
    );
}

#[test]
fn only_an_invite_begins_a_call() {
    let world = check(
        "alice SUBSCRIBE tag=-
         bob 200 method=SUBSCRIBE
         bob NOTIFY
         alice REFER tag=-
         bob 202 method=REFER
         bob NOTIFY cseq=2
         alice BYE
         alice INVITE tag=b
         bob 200
         alice ACK
         alice MESSAGE tag=-
         alice REGISTER tag=-
         alice OPTIONS tag=-",
    );
    assert!(world.calls.is_empty() && world.calls.poll_timeout().is_none());
}

/// What has the Call-ID but not the tags is of somebody else.
#[test]
fn a_bye_with_other_tags_ends_nothing() {
    check(
        "alice INVITE
         -> started 0.1
         bob 200
         -> answered 0.1
         alice ACK
         alice BYE tag=x cseq=2
         alice BYE tag=- cseq=2
         alice BYE call=2 cseq=2
         bob CANCEL tag=b
         alice BYE cseq=2
         -> ended 0.1 HungUp(Caller)",
    );
}
