//! Whatever is sent to an exchange, it neither falls over nor keeps anything.

use bytes::Bytes;
use engine::Rng;
use simnet::run;
use std::collections::BTreeSet;

/// A call with all that belongs to it, so that there is something to spoil.
const CALL: &str = "
    given bob registered, bob2 registered over tcp, host:there.test is peer
    alice -> exchange  REGISTER exchange
    exchange -> alice  200
    alice -> exchange  INVITE bob
    exchange -> bob    INVITE
    exchange => bob2   INVITE
    bob -> exchange    180
    exchange -> alice  180
    bob2 => exchange   180
    exchange -> alice  180
    bob -> exchange    200
    exchange -> alice  200
    exchange => bob2   CANCEL
    bob2 => exchange   200 CANCEL, 487 INVITE
    exchange => bob2   ACK
    alice -> exchange  ACK, BYE
    exchange -> bob    ACK, BYE
    bob -> exchange    200 BYE
    exchange -> alice  200 BYE
    alice -> exchange  MESSAGE sip:x@there.test
    exchange -> peer   MESSAGE
    peer -> exchange   200
    exchange -> alice  200
    alice -> exchange  INVITE bob
    exchange -> bob    INVITE
    exchange => bob2   INVITE
    alice -> exchange  CANCEL
    exchange -> alice  200 CANCEL
    bob -> exchange    603 INVITE
    exchange -> bob    ACK
    bob2 => exchange   180
    exchange => bob2   CANCEL
    exchange -> alice  180
    bob2 => exchange   487 INVITE
    exchange => bob2   ACK
    exchange -> alice  603
    alice -> exchange  ACK
    bob2 => exchange   200 CANCEL";

#[test]
fn spoiled_messages() {
    for seed in 1..=8 {
        let mut rng = Rng::from_u64(seed);
        // Without proofs of identity, more of it gets somewhere.
        let call = if seed > 2 { CALL.replace("given", "given exchange trusts everybody,") } else { CALL.to_owned() };
        let mut world = run(&call, if seed % 2 == 0 { 4 } else { 1 });
        let messages: Vec<Bytes> = world.trace.iter().map(|entry| entry.bytes.clone()).collect();
        for n in 0..2500 {
            let mut bytes = messages[rng.below(messages.len() as u64) as usize].to_vec();
            for _ in 0..=rng.below(3) {
                spoil(&mut bytes, &messages, &mut rng);
            }
            let who = ["alice", "bob", "bob2", "peer"][rng.below(4) as usize];
            world.inject(who, "exchange", rng.below(4) == 0, Bytes::from(bytes));
            if n % 10 == 0 {
                let later = world.elapsed() + std::time::Duration::from_millis(rng.below(3000));
                world.run_until(later);
            }
        }
        world.run_until_quiet();
        assert_eq!(world.leaks(), "", "seed {seed}");
        let sent = world.trace.iter().filter(|entry| entry.from == "exchange");
        let mut kinds = BTreeSet::new();
        for entry in sent {
            let text = String::from_utf8_lossy(&entry.bytes);
            // A refusal gives back the very fields that are wrong, or cannot give back what is not there.
            let refusal = text.starts_with("SIP/2.0 400 ") || text.starts_with("SIP/2.0 505 ");
            let well_formed = entry.message().is_some() || refusal;
            assert!(well_formed, "the exchange itself sends nonsense, seed {seed}:\n{text}");
            kinds.insert(entry.what());
        }
        assert!(kinds.len() > 20, "much of it got somewhere: {kinds:?}");
    }
}

/// One change to a message: its ids made new, a byte, a line, or half of another message.
fn spoil(bytes: &mut Vec<u8>, messages: &[Bytes], rng: &mut Rng) {
    let at = rng.below(bytes.len().max(1) as u64) as usize;
    match rng.below(8) {
        0 if !bytes.is_empty() => bytes[at] = rng.next_u32() as u8,
        1 if !bytes.is_empty() => {
            bytes[at] = *b"\r\n \t,;:<>\"@%=/?0"[rng.below(16) as usize..].first().unwrap_or(&b' ')
        }
        2 => bytes.truncate(at),
        3 => {
            let other = &messages[rng.below(messages.len() as u64) as usize];
            bytes.truncate(at);
            bytes.extend_from_slice(other.get(at..).unwrap_or_default());
        }
        4 | 5 => {
            // A line of another message in the place of one of ours.
            let other = &messages[rng.below(messages.len() as u64) as usize];
            let text = String::from_utf8_lossy(bytes).into_owned();
            let mut lines: Vec<&str> = text.split("\r\n").collect();
            let others = String::from_utf8_lossy(other).into_owned();
            let foreign: Vec<&str> = others.split("\r\n").collect();
            let place = rng.below(lines.len() as u64) as usize;
            let line = foreign[rng.below(foreign.len() as u64) as usize];
            if rng.below(2) == 0 {
                lines[place] = line
            } else {
                lines.insert(place, line)
            }
            *bytes = lines.join("\r\n").into_bytes();
        }
        _ => {
            // New ids: not absorbed as a retransmission.
            let text = String::from_utf8_lossy(bytes).into_owned();
            let token = rng.token(8);
            *bytes = text.replace("branch=z9hG4bK-", &format!("branch=z9hG4bK-{token}")).into_bytes();
        }
    }
}
