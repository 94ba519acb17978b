//! Random REGISTERs, the registrar on one side and the simplest reading of RFC 3261 section 10.3 on the other.

use super::{World, request};
use crate::BINDINGS_PER_AOR_MAX;
use engine::Rng;
use sip_message::HeaderName;
use std::time::Duration;

/// A binding of the model; contacts are numbers, so that comparing URIs is not its business.
#[derive(Clone)]
struct Entry {
    contact: u64,
    call: u64,
    cseq: u32,
    left_s: u64,
}

struct Wanted {
    contact: u64,
    /// Which spelling of the contact's URI.
    spelling: u64,
    expires: Option<u64>,
}

/// The model: the status, and what stands there afterwards.
fn expected(
    before: &[Entry],
    call: u64,
    cseq: u32,
    wanted: &[Wanted],
    header: Option<u64>,
    star: bool,
) -> (u16, Vec<Entry>) {
    let refuse = |status| (status, before.to_vec());
    let mut after = before.to_vec();
    if star {
        if header != Some(0) {
            return refuse(400);
        }
        let late = before.iter().any(|entry| entry.call == call && entry.cseq >= cseq);
        return if late { refuse(500) } else { (200, Vec::new()) };
    }
    let mut status = 200;
    for one in wanted {
        let left_s = match one.expires.or(header).unwrap_or(3600) {
            brief @ 1..60 => {
                assert!(brief < 3600);
                return refuse(423);
            }
            seconds => seconds.min(7200),
        };
        if before.iter().any(|entry| entry.contact == one.contact && entry.call == call && entry.cseq >= cseq) {
            status = 500;
        }
        let entry = Entry { contact: one.contact, call, cseq, left_s };
        match after.iter().position(|entry| entry.contact == one.contact) {
            Some(at) if left_s == 0 => drop(after.remove(at)),
            Some(at) => after[at] = entry,
            None if left_s > 0 => after.push(entry),
            None => {}
        }
    }
    match status {
        200 if after.len() > BINDINGS_PER_AOR_MAX => refuse(403),
        200 => (200, after),
        status => refuse(status),
    }
}

fn spell(contact: u64, spelling: u64) -> String {
    match spelling {
        0 => format!("sip:u{contact}@host{contact}.example"),
        1 => format!("sip:%75{contact}@HOST{contact}.example"),
        _ => format!("SIP:u{contact}@host{contact}.Example;x{contact}={contact}"),
    }
}

fn run(seed: u64) -> [u32; 7] {
    let mut rng = Rng::from_u64(seed);
    let mut world = World::new();
    let mut model: Vec<Entry> = Vec::new();
    let mut cseqs = [1u32; 3];
    let mut seen = [0; 7];
    for step in 0..400 {
        if rng.below(4) == 0 {
            let seconds = rng.below(500);
            world.now = world.now + Duration::from_secs(seconds);
            model.iter_mut().for_each(|entry| entry.left_s = entry.left_s.saturating_sub(seconds));
            model.retain(|entry| entry.left_s > 0);
        }
        if rng.below(8) == 0 {
            world.location.sweep(world.now);
        }
        let call = rng.below(3);
        let highest = &mut cseqs[call as usize];
        *highest += u32::from(rng.below(5) > 0);
        let cseq = highest.saturating_sub(rng.below(8) as u32 / 6);
        let star = rng.below(40) == 0;
        let mut expires = |none: u64| [0, 30, 60, 600, 3600, 100_000].get(rng.below(6 + none) as usize).copied();
        let header = expires(6);
        let mut wanted: Vec<Wanted> = Vec::new();
        for _ in 0..rng.below(5) {
            let expires = [0, 59, 600, 600, 7200, 9000].get(rng.below(18) as usize).copied();
            wanted.push(Wanted { contact: rng.below(13), spelling: rng.below(3), expires });
        }

        let contacts: Vec<String> = wanted
            .iter()
            .map(|one| {
                let expires = one.expires.map_or(String::new(), |seconds| format!(";expires={seconds}"));
                format!("<{}>{expires}", spell(one.contact, one.spelling))
            })
            .collect();
        let contacts = if star { "*".to_owned() } else { contacts.join(", ") };
        let expires = header.map_or(String::new(), |seconds| format!(" | Expires: {seconds}"));
        let line = format!("call{call}#{cseq} {contacts}{expires}");

        let (status, after) = expected(&model, call, cseq, &wanted, header, star);
        let (answered, fields) = world.register(&request(&line));
        assert_eq!(answered, status, "seed {seed} step {step}: {line}");
        model = after;
        let places: Vec<(String, u64)> =
            model.iter().map(|entry| (format!("{}@", entry.contact), entry.left_s)).collect();
        let place = |value: &str| {
            let user = value.split_once(':').unwrap().1.split_once('@').unwrap().0;
            let number = user.trim_start_matches("%75").trim_start_matches('u');
            (format!("{number}@"), value.rsplit_once("expires=").unwrap().1.parse().unwrap())
        };
        let stored: Vec<(String, u64)> = world.contacts().iter().map(|value| place(value)).collect();
        assert_eq!(stored, places, "seed {seed} step {step}: {line}");
        if status == 200 {
            let told = fields.iter().filter(|(name, _)| *name == HeaderName::Contact).map(|(_, value)| place(value));
            assert_eq!(told.collect::<Vec<_>>(), places, "seed {seed} step {step}: {line}");
        }
        seen[[200, 400, 403, 423, 500].iter().position(|s| *s == status).unwrap()] += 1;
        seen[5] += u32::from(model.is_empty());
        seen[6] += u32::from(model.len() == BINDINGS_PER_AOR_MAX);
    }
    seen
}

#[test]
fn random_requests_end_as_the_rfc_reads() {
    let mut seen = [0; 7];
    for seed in 0..30 {
        for (all, one) in seen.iter_mut().zip(run(seed)) {
            *all += one;
        }
    }
    assert!(seen.iter().all(|count| *count > 10), "every kind of end was met: {seen:?}");
}
