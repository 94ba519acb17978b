use super::*;

fn call_elsewhere(numbers: &[u16]) -> Story {
    let mut story = Story::new();
    story.invite(vec![elsewhere("sip:b@far")].into());
    assert_eq!(story.found(numbers), "sip:b@far");
    story.tells(&["INVITE sip:b@far > 1"]);
    story
}

/// RFC 3263 section 4.3: a transport failure, a timeout and a 503 lead to the next flow, with a new branch each.
#[test]
fn the_next_flow_is_tried_when_one_fails_keeps_silent_or_says_503() {
    type Failure = fn(&mut Story);
    let failures: [Failure; 3] = [|story| story.cannot_be_sent(1), |story| story.wait(32), |story| story.says(1, 503)];
    for failure in failures {
        let mut story = call_elsewhere(&[1, 2]);
        failure(&mut story);
        story.tells(&["INVITE sip:b@far > 2"]);
        let branch = |n: usize| story.requests[n].top_via().expect("ours").branch().expect("ours").to_owned();
        assert_ne!(branch(0), branch(story.requests.len() - 1));
        story.says(2, 200);
        story.tells(&["200"]);
        story.ends();
    }
}

#[test]
fn when_no_flow_is_left_the_last_failure_is_the_answer() {
    let mut story = call_elsewhere(&[1, 2]);
    story.says(1, 503);
    story.tells(&["INVITE sip:b@far > 2"]);
    story.says(2, 503);
    story.tells(&["500"]); // a 503 speaks of one next hop (RFC 3261 section 16.7 item 6)
    story.ends();
    let mut story = call_elsewhere(&[1, 2]);
    story.wait(32);
    story.tells(&["INVITE sip:b@far > 2"]);
    story.wait(32);
    story.tells(&["408"]);
    story.ends();
    // What cannot be sent is as good as a 503 (RFC 3261 section 16.9), and that again as a 500.
    let mut story = call_elsewhere(&[1, 2]);
    story.cannot_be_sent(1);
    story.tells(&["INVITE sip:b@far > 2"]);
    story.cannot_be_sent(2);
    story.tells(&["500"]);
    story.ends();
}

#[test]
fn another_refusal_or_silence_after_ringing_is_no_reason_to_go_on() {
    let mut story = call_elsewhere(&[1, 2]);
    story.says(1, 500);
    story.tells(&["500"]);
    story.ends();
    let mut story = call_elsewhere(&[1, 2]);
    story.says(1, 180);
    story.tells(&["180"]);
    for _ in 0..7 {
        story.wait(32);
    }
    story.tells(&["CANCEL sip:b@far > 1", "408"]); // timer C
    story.ends();
}

/// RFC 3261 section 17.1.4: that may have been the ACK.
#[test]
fn what_cannot_be_sent_after_the_answer_is_no_reason_to_go_on() {
    let mut story = Story::new();
    story.invite(vec![at(3, 1000), elsewhere("sip:b@far")].into());
    story.found(&[1, 2]);
    story.tells(&["INVITE sip:3@x > 3", "INVITE sip:b@far > 1"]);
    story.says(1, 486);
    story.tells(&[]);
    story.cannot_be_sent(1);
    story.tells(&[]);
    story.says(3, 404);
    story.tells(&["486"]);
    story.ends();
}

#[test]
fn a_caller_who_has_given_up_is_not_taken_further() {
    let mut story = Story::new();
    let id = story.invite(vec![elsewhere("sip:b@far")].into());
    story.found(&[1, 2]);
    story.tells(&["INVITE sip:b@far > 1"]);
    story.bench.proxy.handle_cancel(story.bench.now, &mut story.bench.layer, id, None);
    story.says(1, 503);
    story.tells(&["487"]);
    story.ends();
}

/// A 503 with Retry-After: avoided for so long, and tried last until then; without it, for half a minute.
#[test]
fn what_has_failed_comes_last_for_a_while() {
    for (fields, seconds) in [(vec![], 30), (vec![(HeaderName::RetryAfter, "100 (busy)")], 100)] {
        let mut story = call_elsewhere(&[1, 2]);
        story.says_more(1, 503, &fields);
        story.tells(&["INVITE sip:b@far > 2"]);
        story.says(2, 404);
        story.tells(&["404"]);
        for (waits, first) in [(seconds - 1, 2), (2, 1)] {
            story.wait(waits);
            story.told();
            story.invite(vec![elsewhere("sip:b@far")].into());
            story.found(&[1, 2]);
            story.tells(&[&format!("INVITE sip:b@far > {first}")]);
            story.says(first, 404);
            story.tells(&["404"]);
        }
        story.ends();
    }
}

#[test]
fn what_is_avoided_has_a_limit() {
    let mut story = Story::new();
    let (now, proxy) = (story.bench.now, &mut story.bench.proxy);
    proxy.shared.avoided.fill(now, AVOIDED_MAX);
    assert_eq!(proxy.shared.avoided.len(), AVOIDED_MAX);
    proxy.shared.avoided.fill(now, AVOIDED_MAX + 5);
    assert_eq!(proxy.shared.avoided.len(), AVOIDED_MAX);
    let later = now + Duration::from_secs(60);
    proxy.shared.avoided.fill(later, 1);
    assert_eq!(proxy.shared.avoided.len(), 1, "what is over makes room");
    story.ends();
}

#[test]
fn a_large_request_goes_over_a_stream_first_and_a_503_speaks_for_both() {
    let mut story = Story::new();
    let subject = format!("Subject: {}\r\n", "x".repeat(1300));
    for (status, told) in [(503, vec!["500"]), (0, vec!["MESSAGE sip:b@b > 1"])] {
        let id = story.comes("MESSAGE", "sip:b@b", &subject);
        story.goes_to(id, vec![Target::new(None, Hop::Resolve)].into());
        story.found(&[1]);
        story.tells(&["MESSAGE sip:b@b > 1"]);
        assert_eq!(story.last[&1].0.transport, Transport::Tcp);
        match status {
            0 => story.cannot_be_sent(1),
            status => story.says(1, status),
        }
        story.tells(&told);
    }
    assert_eq!(story.last[&1].0.transport, Transport::Udp);
    story.ends();
}

/// RFC 3263 section 4.3: whoever has said anything at all is there.
#[test]
fn silence_after_a_100_is_no_reason_to_go_on() {
    let mut story = Story::new();
    let id = story.comes("MESSAGE", "sip:b@b", "");
    story.goes_to(id, vec![Target::new(None, Hop::Resolve)].into());
    story.found(&[1, 2]);
    story.tells(&["MESSAGE sip:b@b > 1"]);
    story.says(1, 100);
    story.wait(32);
    story.tells(&[]);
    story.ends();
}

/// RFC 5626 section 7: another flow of one phone takes the place of the one that is gone; whoever answers has answered for all.
#[test]
fn a_fallback_takes_the_place_of_what_cannot_be_reached() {
    type Failure = fn(&mut Story);
    let failures: [Failure; 4] = [
        |story| story.cannot_be_sent(1),
        |story| story.wait(32),
        |story| story.says(1, 430),
        |story| story.says(1, 503),
    ];
    let with_fallbacks = || Target { fallbacks: vec![at(2, 1000), elsewhere("sip:3@x")], ..at(1, 1000) };
    for failure in failures {
        let mut story = Story::new();
        story.invite(vec![with_fallbacks()].into());
        story.tells(&["INVITE sip:1@x > 1"]);
        failure(&mut story);
        story.tells(&["INVITE sip:2@x > 2"]);
        story.cannot_be_sent(2);
        story.tells(&[]);
        story.found(&[]);
        story.tells(&["404"]);
        story.ends();
    }
    let mut story = Story::new();
    story.invite(vec![with_fallbacks()].into());
    story.told();
    story.says(1, 486);
    story.tells(&["486"]);
    story.ends();
}
