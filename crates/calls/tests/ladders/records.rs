use crate::world::{World, check, usual};
use calls::{Config, End, STEPS_MAX};
use std::time::Duration;

/// Runs a ladder; how its first call ended.
fn how(ladder: &str) -> String {
    let world = check(ladder);
    world.records.first().expect("it ended").how.clone()
}

#[test]
fn a_record_says_all_that_is_known() {
    let world = check(
        "alice INVITE
         -> started 0.1
         +2s
         bob 180
         +3s
         bob 200
         -> answered 0.1
         alice ACK
         +12s
         bob BYE
         -> ended 0.1 HungUp(Callee)",
    );
    let record = &world.records[0];
    assert_eq!((record.from.as_str(), record.to.as_str()), ("sip:alice@example.com", "sip:bob@example.com"));
    assert_eq!((record.caller.as_deref(), record.callee.as_deref()), (Some("alice"), Some("bob")));
    assert_eq!((record.call_id.as_str(), record.status, record.end), ("1", 200, End::HungUp(calls::Side::Callee)));
    assert_eq!(record.source, crate::world::flow("alice").remote);
    let (answered, started) = (record.answered.expect("answered"), record.started);
    assert_eq!(answered.duration_since(started).expect("later"), Duration::from_secs(5));
    assert_eq!(record.ended.duration_since(started).expect("later"), Duration::from_secs(17));
    assert_eq!(record.how, "bob hung up after 12 s");
}

#[test]
fn who_gives_up_is_told_from_who_is_refused() {
    let begin = "alice INVITE\n-> started 0.1\nbob 180\n+8s\n";
    assert_eq!(
        how(&format!("{begin}alice CANCEL\nback 487\n-> ended 0.1 Cancelled")),
        "alice gave up after ringing for 8 s"
    );
    assert_eq!(how(&format!("{begin}bob 486\nback 486\n-> ended 0.1 Refused(486)")), "bob is busy");
    assert_eq!(how(&format!("{begin}+52s\nback 408\n-> ended 0.1 Refused(408)")), "bob did not answer within 60 s");
    assert_eq!(how("alice INVITE\n-> started 0.1\nback 480\n-> ended 0.1 Refused(480)"), "nobody is registered as bob");
    assert_eq!(how("alice INVITE\n-> started 0.1\nback 404\n-> ended 0.1 Refused(404)"), "there is no bob");
    assert_eq!(
        how(&format!("{begin}ops hang up 0.1\n-> give up 1\nback 487\n-> ended 0.1 ByUs")),
        "the operator ended it before it was answered"
    );
}

/// RFC 3261 section 13.3.1.4: who gets no ACK says the 2xx again for 32 s, and then BYE.
#[test]
fn an_ack_that_never_arrives_is_told_from_a_callee_who_hangs_up() {
    let repeats = "+4s\nbob 200\n".repeat(8);
    let begin = "alice INVITE\n-> started 0.1\nbob 200 contact=<sip:bob@172.17.0.1>\n-> answered 0.1\n";
    assert_eq!(
        how(&format!("{begin}{repeats}bob BYE\n-> ended 0.1 NoAck")),
        "ACK never arrived: 10.0.0.2 announced an address we cannot reach (172.17.0.1)"
    );
    let plain = "alice INVITE\n-> started 0.1\nbob 200\n-> answered 0.1\n";
    assert_eq!(
        how(&format!("{plain}{repeats}bob BYE\n-> ended 0.1 NoAck")),
        "ACK never arrived: alice did not hear the answer, or its ACK went elsewhere"
    );
    assert_eq!(
        how(&format!("{plain}alice ACK\n{repeats}bob BYE\n-> ended 0.1 NoAck")),
        "ACK never reached bob, who answered again and again and then hung up"
    );
    // The ACK got through at last, or they would not have talked for so long.
    let repeats = "+4s\nbob 200\nalice ACK\n".repeat(4);
    assert_eq!(
        how(&format!("{plain}alice ACK\n{repeats}+150s\nbob BYE\n-> ended 0.1 HungUp(Callee)")),
        "bob hung up after 2 min 46 s"
    );
    // One answer may be lost, and one ACK; a call may be short.
    assert_eq!(
        how(&format!("{plain}+1s\nbob 200\nalice ACK\nbob 200\n+2s\nbob BYE\n-> ended 0.1 HungUp(Callee)")),
        "bob hung up after 3 s"
    );
}

#[test]
fn a_strangers_call_leaves_a_record_only_when_it_has_reached_somebody() {
    let mut world = World::new(usual());
    world.known = false;
    world.run("alice INVITE call=1\n-> started 0.1\nback 480 call=1");
    world.run("alice INVITE call=2\n-> started 0.2\nbob 486 call=2\nback 486 call=2\n-> ended 0.2 Refused(486)");
    assert_eq!((world.calls.len(), world.records.len()), (0, 1));
}

const CALL: &str = "alice INVITE
    -> started 0.1
    sent bob INVITE
    +1s
    sent bob INVITE
    bob 180
    back 180
    bob 200
    -> answered 0.1
    back 200
    alice ACK
    sent bob ACK
    +12s
    bob BYE
    -> ended 0.1 HungUp(Callee)
    sent alice BYE
    alice 200 method=BYE";

#[test]
fn a_story_has_each_message_and_says_how_it_ended() {
    let world = check(CALL);
    for name in ["0.1", "1"] {
        let story = world.calls.story(world.now, name).expect("remembered");
        assert_eq!((story.id.map(|id| id.to_string()).as_deref(), &*story.call_id), (Some("0.1"), "1"));
        let (alice, bob) = ("alice (10.0.0.1:5060)", "bob (10.0.0.2:5060)");
        assert_eq!(story.parties, [alice, "exchange", bob]);
        let ladder: Vec<(&str, &str, &str, bool)> =
            story.ladder.iter().map(|step| (&*step.from, &*step.to, &*step.label, step.repeated)).collect();
        let us = "exchange";
        assert_eq!(
            ladder,
            [
                (alice, us, "INVITE", false),
                (us, bob, "INVITE", false),
                (us, bob, "INVITE", true),
                (bob, us, "180 (INVITE)", false),
                (us, alice, "180 (INVITE)", false),
                (bob, us, "200 (INVITE)", false),
                (us, alice, "200 (INVITE)", false),
                (alice, us, "ACK", false),
                (us, bob, "ACK", false),
                (bob, us, "BYE", false),
                (us, alice, "BYE", false),
                (alice, us, "200 (BYE)", false),
            ]
        );
        assert_eq!(story.how, "bob hung up after 12 s");
        assert!(story.ladder.iter().all(|step| step.message.contains("Call-ID: 1\r\n")));
    }
    assert!(world.calls.story(world.now, "0.2").is_none() && world.calls.story(world.now, "2").is_none());
}

#[test]
fn a_story_goes_on_while_the_call_does() {
    let mut world = check("alice INVITE\n-> started 0.1");
    let tell = |world: &World| world.calls.story(world.now, "0.1").expect("under way").how;
    world.run("+2s");
    assert_eq!(tell(&world), "alice has been waiting for 2 s, and nothing rings yet");
    world.run("bob 180\n+3s");
    assert_eq!(tell(&world), "bob has been ringing for 3 s");
    world.run("bob 200\n-> answered 0.1\n+4s");
    assert_eq!(tell(&world), "alice and bob have been talking for 4 s");
}

#[test]
fn a_phone_that_says_nothing_is_named_by_its_address() {
    assert_eq!(
        how("alice INVITE\n-> started 0.1\nsent bob INVITE\n+32s\nback 408\n-> ended 0.1 Refused(408)"),
        "bob's phone at 10.0.0.2:5060 did not answer within 32 s"
    );
}

#[test]
fn no_secret_is_in_a_story() {
    let world = check(
        "alice INVITE proof=Digest_username=\"a\",response=\"0123456789abcdef\"
         -> started 0.1
         sent bob INVITE",
    );
    let story = world.calls.story(world.now, "0.1").expect("under way");
    assert_eq!(story.ladder.len(), 2);
    assert!(story.ladder.iter().all(|step| !step.message.contains("0123456789abcdef")), "{story:?}");
    assert!(!format!("{story:?}").contains("0123456789abcdef"));
}

#[test]
fn what_is_remembered_is_bounded_in_bytes_and_the_oldest_goes_first() {
    let mut world = World::new(Config { ring_bytes_max: 5000, ..usual() });
    for call in 1..50 {
        world.run(&format!(
            "alice INVITE call={call}\n-> started 0.{call}\nback 486 call={call}\n-> ended 0.{call} Refused(486)"
        ));
        let told = |call: u32| world.calls.story(world.now, &format!("0.{call}")).map_or(0, |story| story.ladder.len());
        assert_eq!(told(call), 2, "the latest is there");
        let all: usize = (1..=call).map(told).sum();
        assert!((call <= 5 || all >= 8) && all <= 5000 / 250, "{all} messages");
        assert_eq!(if call > 20 { told(1) } else { 0 }, 0, "the first is gone");
    }
}

#[test]
fn a_ring_of_no_bytes_remembers_nothing() {
    let mut world = World::new(Config { ring_bytes_max: 0, ..usual() });
    world.run(CALL);
    assert_eq!(world.records[0].how, "bob hung up after 12 s");
    assert!(world.calls.story(world.now, "1").is_none());
}

#[test]
fn a_long_story_is_told_from_its_beginning() {
    let mut world = check("alice INVITE\n-> started 0.1\nbob 200\n-> answered 0.1\nalice ACK");
    for n in 0..STEPS_MAX {
        world.run(&format!("alice INFO cseq={}", n + 2));
    }
    let story = world.calls.story(world.now, "0.1").expect("under way");
    assert_eq!((story.ladder.len(), &*story.ladder[0].label), (STEPS_MAX, "INVITE"));
}
