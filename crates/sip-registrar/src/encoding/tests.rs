use super::{Damaged, Record};
use crate::{
    AddressOfRecord, BINDINGS_PER_AOR_MAX, Binding, CALL_ID_BYTES_MAX, CONTACT_BYTES_MAX, Location, PATH_BYTES_MAX,
    Parts, USER_AGENT_BYTES_MAX,
};
use engine::{Now, Rng};
use sip_message::Transport;
use sip_transaction::{ConnectionId, Flow};
use std::net::{SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const TRANSPORTS: [Transport; 5] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];

fn aor(rng: &mut Rng) -> AddressOfRecord {
    let user = "ü".repeat(rng.below(30) as usize);
    AddressOfRecord::new(&user, "pbx.example").unwrap()
}

fn binding(rng: &mut Rng, connection: Option<ConnectionId>) -> Binding {
    let mut text = |max: usize| ["é", "x"][rng.below(2) as usize].repeat(rng.below(max as u64 / 2 + 1) as usize);
    let [contact, params] = [CONTACT_BYTES_MAX, CONTACT_BYTES_MAX].map(&mut text);
    let [call_id, user_agent, path] = [CALL_ID_BYTES_MAX, USER_AGENT_BYTES_MAX, PATH_BYTES_MAX].map(text);
    let mut address = || match rng.below(2) {
        0 => SocketAddr::from((rng.next_u32().to_be_bytes(), rng.next_u32() as u16)),
        _ => SocketAddrV6::new(u128::from(rng.next_u64()).into(), 1, rng.next_u32(), rng.next_u32()).into(),
    };
    let (local, remote) = (address(), address());
    let transport = TRANSPORTS[rng.below(5) as usize];
    let parts = Parts {
        contact: &contact,
        params: &params,
        call_id: &call_id,
        user_agent: &user_agent,
        path: &path,
        q: rng.below(1001) as u16,
        cseq: rng.next_u32(),
        expires_at_s: rng.next_u32(),
        flow: Flow { transport, local, remote, connection },
    };
    Binding::new(parts).unwrap().with_epoch(rng.next_u32())
}

fn encoded(aor: &AddressOfRecord, bindings: &[Binding]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Record::encode(aor, bindings, &mut bytes);
    bytes
}

#[test]
fn what_is_written_is_read_again_and_only_the_connection_is_gone() {
    for seed in 0..300 {
        let rng = &mut Rng::from_u64(seed);
        let (aor, count) = (aor(rng), rng.below(BINDINGS_PER_AOR_MAX as u64 + 1));
        let bindings: Arc<[Binding]> = (0..count).map(|_| binding(rng, None)).collect();
        let bytes = encoded(&aor, &bindings);
        let mut rest = &bytes[..];
        assert_eq!(Record::decode(&mut rest), Ok(Record::Whole { aor, bindings }), "seed {seed}");
        assert!(rest.is_empty());
    }
    let rng = &mut Rng::from_u64(1);
    let (aor, connected) = (aor(rng), binding(rng, Some(ConnectionId(7))));
    let Ok(Record::Whole { bindings, .. }) = Record::decode(&mut &encoded(&aor, std::slice::from_ref(&connected))[..])
    else {
        panic!("no record")
    };
    assert_eq!(bindings[0].flow(), Flow { connection: None, ..connected.flow() });
}

/// A refresh is a few bytes when nothing but expiry and CSeq is new, and everything else is written whole.
#[test]
fn a_mere_refresh_is_short() {
    let rng = &mut Rng::from_u64(3);
    let aor = AddressOfRecord::new("100", "pbx.example").unwrap();
    let old = binding(rng, Some(ConnectionId(1)));
    let change = |before: &[Binding], after: &[Binding]| {
        let mut bytes = Vec::new();
        Record::encode_change(&aor, before, after, &mut bytes);
        bytes
    };
    let new = old.refreshed(500, 9);
    let bytes = change(std::slice::from_ref(&old), std::slice::from_ref(&new));
    assert!(bytes.len() < 40, "{}", bytes.len());
    let mut location = Location::new(rng);
    let ended = old.refreshed(3, 1);
    for earlier in [vec![old.clone()], vec![ended, old.clone()]] {
        // The reader may still have what has ended and was let go of in memory.
        location.restore(Record::decode(&mut &encoded(&aor, &earlier)[..]).unwrap()).unwrap();
        location.restore(Record::decode(&mut &bytes[..]).unwrap()).unwrap();
        let [read] = location.at(&aor).1 else { panic!("one binding") };
        assert_eq!((read.expires_at_s(), read.cseq(), read.contact()), (500, 9, old.contact()));
    }
    assert_eq!(
        location.restore(Record::decode(&mut &bytes[..]).unwrap()),
        Err(Damaged("a refresh of a binding that is not there"))
    );
    let whole = encoded(&aor, std::slice::from_ref(&new)).len();
    let other = binding(rng, None);
    for (before, after) in [
        (vec![], vec![new.clone()]),
        (vec![old.clone(), other.clone()], vec![new.clone()]),
        (vec![other.clone()], vec![new.clone()]),
        (vec![old.clone().with_epoch(1)], vec![new.clone()]),
    ] {
        assert_eq!(change(&before, &after).len(), whole);
    }
}

#[test]
fn a_location_is_what_its_records_say() {
    let rng = &mut Rng::from_u64(4);
    let now = Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(0), ..Now::read_clocks() };
    let mut location = Location::new(rng);
    for _ in 0..100 {
        let name = AddressOfRecord::new(&rng.below(40).to_string(), "pbx.example").unwrap();
        location.put(&name, (0..rng.below(4)).map(|_| binding(rng, None)).collect());
    }
    let mut bytes = Vec::new();
    location.records().for_each(|(aor, bindings)| Record::encode(aor, bindings, &mut bytes));
    let (mut other, mut rest) = (Location::new(rng), &bytes[..]);
    other.reserve(location.records_len());
    while !rest.is_empty() {
        other.restore(Record::decode(&mut rest).unwrap()).unwrap();
    }
    assert_eq!((other.len(), other.records_len()), (location.len(), location.records_len()));
    for (aor, bindings) in location.records() {
        assert_eq!(&*other.fetch(now, aor).bindings, bindings);
    }
}

/// Damage is said or makes another record; it is never a panic, and never more than there may be.
#[test]
fn damaged_bytes_do_no_harm() {
    for seed in 0..3000 {
        let rng = &mut Rng::from_u64(seed);
        let (aor, count) = (aor(rng), rng.below(3));
        let bindings: Vec<Binding> = (0..count).map(|_| binding(rng, None)).collect();
        let mut bytes = encoded(&aor, &bindings);
        if rng.below(4) == 0 {
            bytes = (0..rng.below(200)).map(|_| rng.next_u32() as u8).collect();
        }
        for _ in 0..=rng.below(3) {
            let at = rng.below(bytes.len() as u64) as usize;
            match rng.below(3) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, rng.next_u32() as u8),
                _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (seed % 8)),
            }
        }
        let mut rest = &bytes[..];
        if let Ok(Record::Whole { aor, bindings }) = Record::decode(&mut rest) {
            assert!(bindings.len() <= BINDINGS_PER_AOR_MAX && aor.as_str().len() <= crate::AOR_BYTES_MAX);
            // What was read is what would be written.
            let again = encoded(&aor, &bindings);
            assert_eq!(Record::decode(&mut &again[..]), Ok(Record::Whole { aor, bindings }), "seed {seed}");
        }
    }
}

/// Data folders of older versions are read: these bytes were written by the first.
#[test]
fn the_first_version_is_read_for_ever() {
    let first =
        b"\x10\x0f100@pbx.example\x01\x20\x7f\0\0\x01\xc4\x13\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xc5\x13\
        \0\0\0\0\0\0\0\0\x10\x27\0\0\x05\0\0\0\x80\x01\xe8\x07\x05\x02\x03\x03\0sip:a;bidcall";
    let Ok(Record::Whole { aor, bindings }) = Record::decode(&mut &first[..]) else { panic!("no record") };
    let [binding] = &*bindings else { panic!("one binding") };
    assert_eq!((aor.as_str(), binding.contact(), binding.params()), ("100@pbx.example", "sip:a", ";b"));
    assert_eq!((binding.call_id(), binding.user_agent(), binding.path()), ("idc", "all", ""));
    assert_eq!((binding.expires_at_s(), binding.epoch(), binding.cseq(), binding.q()), (10_000, 5, 128, 1000));
    let flow = binding.flow();
    assert_eq!(
        (flow.local.to_string(), flow.remote.to_string()),
        ("127.0.0.1:5060".into(), "[2001:db8::1]:5061".into())
    );
}
