use super::*;

fn two_ring() -> (Story, ServerTransactionId) {
    let mut story = Story::new();
    let id = story.invite(vec![at(1, 1000), at(2, 1000)].into());
    story.told();
    story.says(1, 180);
    story.says(2, 180);
    story.tells(&["180", "180"]);
    (story, id)
}

/// RFC 3326: phones keep no missed call for one that was answered elsewhere.
#[test]
fn losers_are_told_why() {
    let (mut story, _) = two_ring();
    story.says(1, 200);
    story.tells(&["200", "CANCEL sip:2@x > 2: SIP;cause=200;text=\"Call completed elsewhere\""]);
    story.says(2, 487);
    story.tells(&[]);
    story.ends();
    // RFC 3261 section 16.7 item 5: a 6xx is passed on once the others have ended.
    let (mut story, _) = two_ring();
    story.says(1, 603);
    story.tells(&["CANCEL sip:2@x > 2: SIP;cause=603"]);
    story.says(2, 487);
    story.tells(&["603"]);
    story.ends();
}

#[test]
fn the_callers_reason_is_passed_on() {
    let said = "Q.850;cause=16;text=\"Terminated\"";
    for (reason, end) in [(None, String::new()), (Some(said), format!(": {said}"))] {
        let (mut story, id) = two_ring();
        story.bench.proxy.handle_cancel(story.bench.now, &mut story.bench.layer, id, reason);
        let cancel = |n| format!("CANCEL sip:{n}@x > {n}{end}");
        story.tells(&[&cancel(1), &cancel(2)]);
        story.says(1, 487);
        story.tells(&[]);
        story.says(2, 487);
        story.tells(&["487"]);
        story.ends();
    }
}

/// RFC 3261 section 9.1: a CANCEL may come too late, and a 2xx wins; a 6xx that comes after it is the better answer (section 16.7 item 6).
#[test]
fn what_comes_after_the_callers_cancel() {
    for (status, told) in [(200, "200"), (603, "603"), (486, "487")] {
        let (mut story, id) = two_ring();
        story.bench.proxy.handle_cancel(story.bench.now, &mut story.bench.layer, id, None);
        story.told();
        story.says(2, 487);
        story.says(1, status);
        story.tells(&[told]);
        story.ends();
    }
}

#[test]
fn after_a_6xx_a_2xx_still_counts_and_no_target_is_tried() {
    let mut story = Story::new();
    story.invite(vec![at(1, 1000), at(2, 1000), at(3, 500)].into());
    story.told();
    story.says(2, 180);
    story.says(1, 603);
    story.told();
    story.says(2, 200);
    story.tells(&["200"]);
    story.ends();
    let mut story = Story::new();
    story.invite(vec![at(1, 1000), at(2, 500)].into());
    story.told();
    story.says(1, 603);
    story.tells(&["603"]);
    story.ends();
}

#[test]
fn a_caller_who_gives_up_while_a_name_is_looked_up_gets_487_at_once() {
    let mut story = Story::new();
    let id = story.invite(vec![elsewhere("sip:b@far")].into());
    story.bench.proxy.handle_cancel(story.bench.now, &mut story.bench.layer, id, None);
    story.tells(&["487"]);
    story.found(&[1]);
    story.tells(&[]);
    story.ends();
}

/// RFC 3261 section 16.7 item 5: each 2xx to an INVITE goes back, other late answers do not.
#[test]
fn each_2xx_to_an_invite_goes_back() {
    let (mut story, _) = two_ring();
    story.says(1, 200);
    story.told();
    for (status, told) in [(200, vec!["200"]), (183, vec![]), (486, vec![])] {
        let number = if status == 200 { 1 } else { 2 };
        story.says(number, status);
        story.tells(&told);
    }
    story.ends();
    let (mut story, _) = two_ring();
    story.says(1, 200);
    story.told();
    story.says(2, 200);
    story.tells(&["200"]);
    story.ends();
    // One that nobody else rings beside.
    let mut story = Story::new();
    story.invite(vec![at(1, 1000)].into());
    story.told();
    for _ in 0..2 {
        story.says(1, 200);
        story.tells(&["200"]);
    }
    story.ends();
}
