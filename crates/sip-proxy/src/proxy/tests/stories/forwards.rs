use super::*;

fn forwards() -> TargetSet {
    TargetSet {
        targets: vec![at(1, 1000), at(2, 500)],
        on_busy: vec![at(3, 1000)],
        on_no_answer: vec![at(4, 1000)],
        no_answer_after: Some(Duration::from_secs(20)),
        ..TargetSet::default()
    }
}

#[test]
fn who_is_busy_is_forwarded_once() {
    for busy in [486, 600] {
        let mut story = Story::new();
        story.invite(TargetSet { targets: vec![at(1, 1000)], ..forwards() });
        story.tells(&["INVITE sip:1@x > 1"]);
        story.says(1, busy);
        story.tells(&["INVITE sip:3@x > 3"]);
        story.says(3, busy);
        story.tells(&[&busy.to_string()]);
        story.ends();
    }
}

/// A 600 is for everybody: nobody else of the first set is tried, and who rings is cancelled.
#[test]
fn busy_everywhere_ends_the_others_and_is_forwarded() {
    let mut story = Story::new();
    story.invite(TargetSet { targets: vec![at(1, 1000), at(2, 1000), at(5, 500)], ..forwards() });
    story.tells(&["INVITE sip:1@x > 1", "INVITE sip:2@x > 2"]);
    story.says(2, 180);
    story.says(1, 600);
    story.tells(&["180", "CANCEL sip:2@x > 2", "INVITE sip:3@x > 3"]);
    story.says(2, 487);
    story.says(3, 200);
    story.tells(&["200"]);
    story.ends();
}

#[test]
fn all_targets_are_tried_before_a_forward() {
    let mut story = Story::new();
    story.invite(forwards());
    story.tells(&["INVITE sip:1@x > 1"]);
    story.says(1, 486);
    story.tells(&["INVITE sip:2@x > 2"]);
    story.says(2, 480);
    story.tells(&["INVITE sip:3@x > 3"]);
    story.says(3, 480);
    story.tells(&["486"]);
    story.ends();
}

#[test]
fn who_does_not_answer_is_forwarded_and_the_caller_sees_no_487() {
    let mut story = Story::new();
    story.invite(forwards());
    story.tells(&["INVITE sip:1@x > 1"]);
    story.says(1, 180);
    story.wait(19);
    story.tells(&["180"]);
    story.wait(1);
    story.tells(&["CANCEL sip:1@x > 1", "INVITE sip:4@x > 4"]);
    story.says(1, 180);
    story.says(1, 487);
    story.says(4, 183);
    story.tells(&["183"]);
    story.says(4, 200);
    story.tells(&["200"]);
    story.ends();
}

/// The answer that comes although the CANCEL is on its way counts (RFC 3261 section 9.1), and ends the forward.
#[test]
fn an_answer_in_the_last_moment_wins_over_the_forward() {
    let mut story = Story::new();
    story.invite(forwards());
    story.told();
    story.says(1, 180);
    story.wait(20);
    story.told();
    story.says(4, 180);
    story.says(1, 200);
    story.tells(&["180", "200", "CANCEL sip:4@x > 4: SIP;cause=200;text=\"Call completed elsewhere\""]);
    story.says(4, 487);
    story.ends();
}

#[test]
fn when_the_forward_does_not_answer_either_nobody_is_there() {
    let mut story = Story::new();
    story.invite(forwards());
    story.told();
    story.says(1, 180);
    story.wait(20);
    story.told();
    story.says(1, 487);
    story.says(4, 480);
    story.tells(&["480"]);
    story.ends();
}

#[test]
fn nobody_there_is_no_answer() {
    for status in [408, 480] {
        let mut story = Story::new();
        story.invite(TargetSet { targets: vec![at(1, 1000)], no_answer_after: None, ..forwards() });
        story.told();
        story.says(1, status);
        story.tells(&["INVITE sip:4@x > 4"]);
        story.says(4, 200);
        story.tells(&["200"]);
        story.ends();
    }
    let mut story = Story::new();
    story.invite(TargetSet { targets: vec![], ..forwards() });
    story.tells(&["INVITE sip:4@x > 4"]);
    story.says(4, 404);
    story.tells(&["404"]);
    story.ends();
}

#[test]
fn without_somebody_else_to_try_they_may_ring_on() {
    let mut story = Story::new();
    story.invite(TargetSet { targets: vec![at(1, 1000)], on_no_answer: vec![], ..forwards() });
    story.told();
    story.says(1, 180);
    story.told();
    story.wait(60);
    story.tells(&[]);
    story.says(1, 200);
    story.tells(&["200"]);
    story.ends();
}

#[test]
fn targets_one_after_another_may_ring_for_so_long_each() {
    let mut story = Story::new();
    let ring = Some(Duration::from_secs(10));
    let targets = vec![at(1, 900), at(2, 800), at(3, 800)];
    story.invite(TargetSet { targets, ring, ..TargetSet::default() });
    story.tells(&["INVITE sip:1@x > 1"]);
    story.says(1, 180);
    story.wait(10);
    story.tells(&["180", "CANCEL sip:1@x > 1", "INVITE sip:2@x > 2", "INVITE sip:3@x > 3"]);
    story.says(1, 487);
    story.says(2, 180);
    story.says(3, 486);
    story.wait(9);
    story.tells(&["180"]);
    story.wait(1);
    story.tells(&["CANCEL sip:2@x > 2"]);
    story.says(2, 487);
    story.tells(&["486"]);
    story.ends();
}

#[test]
fn each_preference_has_its_whole_time() {
    let mut story = Story::new();
    let ring = Some(Duration::from_secs(10));
    story.invite(TargetSet { targets: vec![at(1, 900), at(2, 800)], ring, ..TargetSet::default() });
    story.told();
    story.wait(6);
    story.says(1, 486);
    story.tells(&["INVITE sip:2@x > 2"]);
    story.says(2, 180);
    story.tells(&["180"]);
    story.wait(9);
    story.tells(&[]);
    story.wait(1);
    story.tells(&["CANCEL sip:2@x > 2"]);
    story.says(2, 487);
    story.tells(&["486"]);
    story.ends();
}

/// No URI is tried twice (RFC 3261 section 16.5): a forward to oneself is none.
#[test]
fn a_forward_to_whoever_was_called_is_none() {
    let mut story = Story::new();
    let on_busy = vec![elsewhere("sip:b@B"), elsewhere("sip:c@b")];
    story.invite(TargetSet { targets: vec![at(1, 1000)], on_busy, ..TargetSet::default() });
    story.told();
    story.says(1, 486);
    story.tells(&[]);
    assert_eq!(story.ours(vec![at(1, 1000), at(2, 1000)]), "sip:c@b");
    story.tells(&["INVITE sip:2@x > 2"]);
    story.says(2, 486);
    story.tells(&["486"]);
    story.ends();
}
