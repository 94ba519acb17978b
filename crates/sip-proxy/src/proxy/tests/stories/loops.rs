use super::*;

/// A request that comes in with the Vias that a request of ours left with.
fn comes_back(story: &mut Story, sent: &Message, uri: &str, from: Flow) -> ServerTransactionId {
    let vias: String = sent.fields(HeaderName::Via).map(|via| format!("Via: {via}\r\n")).collect();
    let text = format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP far;branch=z9hG4bKback{uri}\r\n{vias}From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: {}\r\nCSeq: 1 INVITE\r\n\r\n",
        sent.call_id()
    );
    let bench = &mut story.bench;
    let packet = Packet { flow: from, message: Message::parse(text.into()).expect("well-formed") };
    bench.layer.handle_packet(bench.now, packet);
    let Some(Output::Event(Event::Request { id, packet })) = bench.layer.poll_output() else { panic!("no request") };
    let preprocessed = crate::preprocess(&packet, &bench.proxy.config().mac, |_| false);
    bench.proxy.handle_request(bench.now, &mut bench.layer, id, preprocessed);
    id
}

/// RFC 5393 section 4.2: what comes back as it left loops; with another Request-URI it spirals.
#[test]
fn a_loop_gets_482_and_a_spiral_passes() {
    let mut story = Story::new();
    story.invite(vec![at(1, 1000), at(2, 1000)].into());
    story.tells(&["INVITE sip:1@x > 1", "INVITE sip:2@x > 2"]);
    let sent = story.last[&1].1.clone();
    let id = comes_back(&mut story, &sent, "sip:b@b", flow(9));
    story.goes_to(id, vec![at(1, 1000), at(2, 1000)].into());
    story.tells(&["482"]);
    let id = comes_back(&mut story, &sent, "sip:c@b", flow(9));
    story.goes_to(id, vec![at(3, 1000), at(4, 1000)].into());
    story.tells(&["INVITE sip:3@x > 3", "INVITE sip:4@x > 4"]);
    story.ends();
}

#[test]
fn what_is_looked_up_is_looked_at_too_and_a_single_flow_of_ours_is_not() {
    for (target, told) in [(elsewhere("sip:b@far"), "482"), (at(1, 1000), "INVITE sip:1@x > 1")] {
        let mut story = Story::new();
        story.invite(vec![elsewhere("sip:b@far")].into());
        story.found(&[1]);
        story.told();
        let sent = story.last[&1].1.clone();
        let id = comes_back(&mut story, &sent, "sip:b@b", flow(9));
        story.goes_to(id, vec![target].into());
        story.tells(&[told]);
        story.ends();
    }
}

/// The branch is still ours: its response finds its way.
#[test]
fn a_marked_branch_is_recognised() {
    let mut story = Story::new();
    story.invite(vec![at(1, 1000), at(2, 1000)].into());
    story.told();
    let mac = story.bench.proxy.config().mac;
    let branch = story.last[&1].1.top_via().expect("ours").branch().expect("ours").to_owned();
    assert!(branch.contains('.'), "{branch}");
    assert_eq!(TransactionLayer::shard_of_branch(&mac, &branch), Some(0));
    story.says(1, 200);
    assert_eq!(story.told()[0], "200");
    story.ends();
}

fn breadths(story: &Story) -> Vec<(u16, String)> {
    let of = |n: &u16| story.field(*n, HeaderName::MaxBreadth).unwrap_or_default();
    story.last.keys().map(|n| (*n, of(n))).collect()
}

/// RFC 5393 section 5.3.3: one is added or cut to our maximum, and split among what goes out at once.
#[test]
fn max_breadth_is_added_limited_and_split() {
    for (fields, expected) in [
        ("", ["20", "20", "20"]),
        ("Max-Breadth: 61\r\n", ["20", "20", "20"]),
        ("Max-Breadth: 99999999999\r\n", ["20", "20", "20"]),
        ("Max-Breadth: 5\r\n", ["2", "2", "1"]),
        ("Max-Breadth: 3\r\n", ["1", "1", "1"]),
        ("Max-Breadth: x\r\n", ["20", "20", "20"]),
    ] {
        let mut story = Story::new();
        let id = story.comes("INVITE", "sip:b@b", fields);
        story.goes_to(id, vec![at(1, 1000), at(2, 1000), at(3, 1000)].into());
        story.told();
        let expected: Vec<_> = (1..).zip(expected.map(str::to_owned)).collect();
        assert_eq!(breadths(&story), expected, "{fields}");
        assert!(story.requests.iter().all(|request| request.fields(HeaderName::MaxBreadth).count() == 1));
        story.ends();
    }
}

/// Sections 5.3.3.1 and 5.5: where it does not suffice, targets are tried one after the other, with what has become free.
#[test]
fn too_little_breadth_makes_a_fork_serial() {
    let mut story = Story::new();
    let id = story.comes("INVITE", "sip:b@b", "Max-Breadth: 2\r\n");
    story.goes_to(id, vec![at(1, 1000), at(2, 1000), at(3, 1000), at(4, 500)].into());
    story.tells(&["INVITE sip:1@x > 1", "INVITE sip:2@x > 2"]);
    story.says(1, 404);
    story.tells(&["INVITE sip:3@x > 3"]);
    story.says(2, 404);
    story.says(3, 404);
    story.tells(&["INVITE sip:4@x > 4"]);
    let expected: Vec<_> = [(1, "1"), (2, "1"), (3, "1"), (4, "2")].map(|(n, b)| (n, b.to_owned())).into();
    assert_eq!(breadths(&story), expected);
    story.says(4, 486);
    story.tells(&["404"]);
    story.ends();
}

/// What is being cancelled holds its share until it has ended.
#[test]
fn what_is_given_up_holds_its_breadth_until_it_has_ended() {
    let mut story = Story::new();
    let id = story.comes("INVITE", "sip:b@b", "Max-Breadth: 1\r\n");
    let (ring, on_no_answer) = (Some(Duration::from_secs(5)), vec![at(3, 1000)]);
    story.goes_to(id, TargetSet { targets: vec![at(1, 1000), at(2, 500)], on_no_answer, ring, ..TargetSet::default() });
    story.told();
    story.says(1, 180);
    story.wait(5);
    story.tells(&["180", "CANCEL sip:1@x > 1"]);
    story.says(1, 487);
    story.tells(&["INVITE sip:2@x > 2"]);
    story.says(2, 404);
    story.tells(&["404"]); // nobody is there: that they do not answer is no longer the best that is known
    story.ends();
}

#[test]
fn no_breadth_at_all_gets_440() {
    let mut story = Story::new();
    story.comes("INVITE", "sip:b@b", "Max-Breadth: 0\r\n");
    story.tells(&["440"]);
    story.ends();
}

/// A target that turns out to be ours gives way to others, which have its share and its turn.
#[test]
fn targets_stand_in_the_place_of_one_that_is_ours() {
    let mut story = Story::new();
    story.invite(vec![elsewhere("sip:group@b"), at(5, 500)].into());
    assert_eq!(story.ours(vec![at(1, 100), at(2, 200), at(3, 200)]), "sip:group@b");
    story.tells(&["INVITE sip:2@x > 2", "INVITE sip:3@x > 3"]);
    assert_eq!(breadths(&story), [(2, "30".to_owned()), (3, "30".to_owned())]);
    story.says(2, 404);
    story.says(3, 404);
    story.tells(&["INVITE sip:1@x > 1"]);
    story.says(1, 404);
    story.tells(&["INVITE sip:5@x > 5"]);
    story.says(5, 404);
    story.tells(&["404"]);
    story.ends();
}

#[test]
fn ours_with_nobody_there_is_480_and_ours_without_end_ends() {
    let mut story = Story::new();
    story.invite(vec![elsewhere("sip:c@b")].into());
    story.ours(vec![]);
    story.tells(&["480"]);
    story.invite(vec![elsewhere("sip:c@b")].into());
    story.ours(vec![elsewhere("sip:d@b")]);
    story.ours(vec![elsewhere("sip:c@b"), elsewhere("sip:b@b")]);
    story.tells(&["480"]);
    story.invite(vec![elsewhere("sip:0@b")].into());
    for n in 1.. {
        if story.bench.proxy.is_empty() {
            assert_eq!(n, TARGETS_MAX + 1);
            break;
        }
        story.ours(vec![elsewhere(&format!("sip:{n}@b"))]);
    }
    story.tells(&["480"]);
    story.ends();
}
