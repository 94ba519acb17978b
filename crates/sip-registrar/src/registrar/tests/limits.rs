use super::{World, aor, check, flow, request};
use crate::registrar::{Answer, Ask, COMMIT_ATTEMPTS_MAX, Output, REQUESTS_PENDING_MAX, REQUESTS_PER_AOR_MAX};
use crate::{
    AddressOfRecord, BINDINGS_PER_AOR_MAX, CALL_ID_BYTES_MAX, CONTACT_BYTES_MAX, CONTACTS_PER_REQUEST_MAX, Outcome,
    PATH_BYTES_MAX,
};

fn contacts(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("<sip:{number}@h>")).collect::<Vec<_>>().join(", ")
}

#[test]
fn an_address_of_record_has_so_many_bindings() {
    let mut world = World::new();
    let most = BINDINGS_PER_AOR_MAX;
    assert_eq!(world.register(&request(&format!("a#1 {}", contacts(0..most + 1)))).0, 403);
    assert_eq!(world.contacts().len(), 0);
    assert_eq!(world.register(&request(&format!("a#2 {}", contacts(0..most)))).0, 200);
    assert_eq!(world.register(&request("a#3 <sip:new@h>")).0, 403);
    assert_eq!(world.register(&request(&format!("a#4 {}", contacts(0..most)))).0, 200, "refreshes");
    assert_eq!(world.register(&request("a#5 <sip:new@h>, <sip:0@h>;expires=0")).0, 200, "one comes, one goes");
    assert_eq!(world.contacts().len(), most);
}

#[test]
fn a_request_names_so_many_contacts() {
    let mut world = World::new();
    let most = CONTACTS_PER_REQUEST_MAX;
    assert_eq!(world.register(&request(&format!("a#1 {} | Expires: 0", contacts(0..most)))).0, 200);
    assert_eq!(world.register(&request(&format!("a#2 {} | Expires: 0", contacts(0..most + 1)))).0, 403);
}

#[test]
fn texts_have_a_length() {
    let uri = format!("<sip:{}@h>", "x".repeat(CONTACT_BYTES_MAX - "sip:@h".len()));
    let call_id = "c".repeat(CALL_ID_BYTES_MAX);
    let path = format!("<sip:{}>", "p".repeat(PATH_BYTES_MAX - "<sip:>".len()));
    check(&format!("a#1 {uri} -> 200 {uri};expires=3600"));
    check(&format!("{call_id}#1 <sip:1@h> -> 200 <sip:1@h>;expires=3600"));
    check(&format!("a#1 <sip:1@h> | Path: {path} -> 200 <sip:1@h>;expires=3600, Path: {path}"));
    check(&format!("a#1 {} -> 400", uri.replace("@h", "x@h")));
    check(&format!("{call_id}c#1 <sip:1@h> -> 400"));
    check(&format!("a#1 <sip:1@h> | Path: {} -> 400", path.replace('>', "p>")));
    check("a#1 <nonsense> -> 400");
    check("a#1 <sip:a b@h> -> 400");
}

#[test]
fn so_many_requests_of_one_address_wait() {
    let mut world = World::new();
    let most = REQUESTS_PER_AOR_MAX as u64 + 1; // one is at work
    for id in 1..=most + 1 {
        world.registrar.handle_register(world.now, id, aor(), &request(&format!("a#{id} <sip:1@h>")), flow());
    }
    let replies = world.settle();
    let told =
        |status: u16| replies.iter().filter(|(_, told, _)| *told == status).map(|(id, ..)| *id).collect::<Vec<_>>();
    assert_eq!((told(500), told(200)), (vec![most + 1], (1..=most).collect()));
    assert_eq!(world.register(&request("b#1 <sip:1@h>")).0, 200);
}

#[test]
fn so_many_requests_wait_for_the_store() {
    let mut world = World::new();
    let line = request("a#1 <sip:1@h>");
    for id in 0..REQUESTS_PENDING_MAX as u64 + 1 {
        let aor = AddressOfRecord::new(&id.to_string(), "pbx.example").unwrap();
        world.registrar.handle_register(world.now, id, aor, &line, flow());
    }
    let outputs: Vec<Output> = std::iter::from_fn(|| world.registrar.poll_output()).collect();
    let refused: Vec<_> = outputs.iter().filter(|output| matches!(output, Output::Reply { status: 503, .. })).collect();
    let registrar = &world.registrar;
    assert_eq!((refused.len(), registrar.pending.len() + registrar.queued), (1, REQUESTS_PENDING_MAX));
    assert!(matches!(refused[0], Output::Reply { id, .. } if *id == REQUESTS_PENDING_MAX as u64));
}

#[test]
fn a_request_that_always_comes_second_gives_up() {
    let mut world = World::new();
    world.registrar.handle_register(world.now, 1, aor(), &request("a#1 <sip:1@h>"), flow());
    let mut commits = 0;
    loop {
        match world.registrar.poll_output().unwrap() {
            Output::Ask(Ask::Commit { ticket, .. }) => {
                commits += 1;
                let outcome = Outcome::Stale;
                world.registrar.handle_answer(world.now, Answer::Committed { ticket, outcome });
            }
            Output::Ask(fetch) => {
                let answer = world.answer(fetch);
                world.registrar.handle_answer(world.now, answer);
            }
            Output::Reply { status, .. } => break assert_eq!(status, 500),
        }
    }
    assert_eq!(commits, COMMIT_ATTEMPTS_MAX);
    assert!(world.registrar.pending.is_empty());
}

#[test]
fn a_batch_for_one_user_is_decided_in_order_without_contention() {
    let mut world = World::new();
    for id in 1..=100 {
        let line = request(&format!("a#{id} <sip:{}@h>", id % 3));
        world.registrar.handle_register(world.now, id, aor(), &line, flow());
    }
    let replies = world.settle();
    assert!(replies.iter().map(|(id, status, _)| (*id, *status)).eq((1..=100).map(|id| (id, 200))), "{replies:?}");
    assert!(world.registrar.queues.is_empty() && world.registrar.queued == 0);
}
