use crate::world::{World, usual};
use calls::{CHARGES_PER_CALL_MAX, Config, DIALOGS_PER_CALL_MAX};
use sip_transaction::ServerTransactionId;

#[test]
fn a_call_too_many_passes_unwatched_and_is_counted() {
    let mut world = World::new(Config { calls_max: 2, ..usual() });
    world.run(
        "alice INVITE call=1
         -> started 0.1
         alice INVITE call=2
         -> started 0.2
         alice INVITE call=3
         bob 200 call=3
         alice ACK call=3
         back 486 call=1
         -> ended 0.1 Refused(486)
         alice INVITE call=4
         -> started 0.3",
    );
    assert_eq!((world.calls.len(), world.calls.unwatched()), (2, 1));
}

#[test]
fn texts_are_bounded_for_all_calls_together() {
    let long = format!("<sip:{}@x>", "a".repeat(1000));
    let mut world = World::new(Config { held_bytes_max: 3000, ..usual() });
    world.run(&format!(
        "alice INVITE call=1 contact={long}
         -> started 0.1
         alice INVITE call=2 contact={long}
         -> started 0.2
         alice INVITE call=3 contact={long}
         bob 200 call=1 contact={long}
         -> ended 0.1 Lost
         bob 180 call=2 contact={long}
         alice INVITE call=4 contact={long}
         -> started 0.3
         bob 200 call=2
         -> answered 0.2
         alice ACK call=2
         alice UPDATE call=2 cseq=2 contact=<sip:{}@x>
         ops hang up 0.2
         -> bye bob over bob: sip:bob@10.0.0.2:5060 a>b 3
         -> bye alice over alice: sip:{}@x b>a 1
         -> ended 0.2 ByUs
         alice INVITE call=5
         -> started 0.4",
        "b".repeat(2000),
        "a".repeat(1000),
    ));
    assert_eq!(world.calls.unwatched(), 1);
}

#[test]
fn only_so_many_dialogs_of_a_call_are_watched() {
    let mut world = World::new(usual());
    world.run("alice INVITE\n-> started 0.1");
    for n in 0..DIALOGS_PER_CALL_MAX + 5 {
        world.run(&format!("bob 180 tag=b{n}"));
    }
    assert_eq!(world.calls.list().map(|call| call.dialogs()).sum::<usize>(), DIALOGS_PER_CALL_MAX);
}

#[test]
fn a_users_calls_are_counted_at_both_ends() {
    let mut world = World::new(usual());
    let counts = |world: &World| ["alice", "bob", "carol"].map(|user| world.calls.calls_of(user));
    world.run("alice INVITE call=1\n-> started 0.1\nalice INVITE call=2 to=carol\n-> started 0.2");
    assert_eq!(counts(&world), [2, 1, 1]);
    world.run("alice INVITE call=3 to=alice\n-> started 0.3");
    assert_eq!(counts(&world), [3, 1, 1], "who calls themself is in one call");
    world.run("back 486 call=1\n-> ended 0.1 Refused(486)\nback 486 call=3 to=alice\n-> ended 0.3 Refused(486)");
    assert_eq!(counts(&world), [1, 0, 1]);
}

/// Who sends INVITE after INVITE with one Call-ID and one tag has as many calls as INVITEs.
#[test]
fn each_invite_of_a_call_counts() {
    let mut world = World::new(usual());
    world.run("alice INVITE call=1\n-> started 0.1");
    let request = world.request("alice", "INVITE");
    let mut charge = |invite, seat| {
        let mut taken = false;
        let told = world.calls.charge(
            &request,
            ServerTransactionId::from_bits(invite),
            7,
            || {
                taken = true;
                if seat == 13 { Err("no more") } else { Ok(seat) }
            },
            "full",
        );
        (told, taken)
    };
    assert_eq!(charge(1, 1), (Some(Ok(())), true));
    assert_eq!(charge(1, 2), (Some(Ok(())), false), "a spiral within its transaction, another target");
    assert_eq!(charge(2, 13), (Some(Err("no more")), true));
    for invite in 2..=CHARGES_PER_CALL_MAX as u64 {
        assert_eq!(charge(invite, 20), (Some(Ok(())), true));
    }
    assert_eq!(charge(1000, 21), (Some(Err("full")), false));
}
