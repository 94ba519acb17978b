//! What several tests need.

pub(crate) mod fallible;

use crate::{Account, Options, Outcome, Store, Write};
use calls::{CallRecord, End, Id, Side};
use engine::Now;
use sip_auth::Secrets;
use sip_message::Transport;
use sip_registrar::{AddressOfRecord, Binding, Change, Parts};
use sip_transaction::Flow;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// A folder of this test's own, gone when the test is over.
pub(crate) struct Scratch {
    pub(crate) path: PathBuf,
}

impl Scratch {
    pub(crate) fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("ringback-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Scratch { path }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

pub(crate) fn options() -> Options {
    Options { realm: "ringback".into(), accounts: Vec::new(), keep_records: Duration::from_secs(90 * 86_400) }
}

pub(crate) fn account(name: &str, password: &str) -> Account {
    Account::new(name, "ringback", Secrets::new(name, "ringback", password))
}

pub(crate) fn aor(user: &str) -> AddressOfRecord {
    AddressOfRecord::new(user, "pbx.example").unwrap()
}

/// A binding of the phone with this number.
pub(crate) fn binding(now: Now, phone: u32, cseq: u32, expires_s: u64) -> Binding {
    let (local, remote) = ("127.0.0.1:5060".parse().unwrap(), "192.0.2.1:5070".parse().unwrap());
    let (contact, call_id) = (format!("sip:{phone}@192.0.2.1:5070"), format!("call-of-{phone}"));
    let parts = Parts {
        contact: &contact,
        params: "",
        call_id: &call_id,
        user_agent: "a phone",
        path: "",
        cseq,
        q: 1000,
        expires_at_s: (now.unix_s() + expires_s) as u32,
        flow: Flow { transport: Transport::Udp, local, remote, connection: None },
    };
    Binding::new(parts).unwrap()
}

/// One with as much text as may be, or nearly.
pub(crate) fn fat_binding(now: Now, phone: u32) -> Binding {
    let thin = binding(now, phone, 1, 600);
    let parts = Parts {
        contact: thin.contact(),
        params: &format!(";x={}", "y".repeat(480)),
        call_id: thin.call_id(),
        user_agent: "",
        path: &format!("<sip:{};lr>", "z".repeat(480)),
        cseq: 1,
        q: 1000,
        expires_at_s: thin.expires_at_s(),
        flow: thin.flow(),
    };
    Binding::new(parts).unwrap()
}

/// Binds these to `user` in the place of whatever is.
pub(crate) fn bind(store: &Store, user: &str, bindings: &[Binding]) -> Outcome {
    store.change_and_wait(binding_write(store, user, bindings))
}

pub(crate) fn binding_write(store: &Store, user: &str, bindings: &[Binding]) -> Write {
    let version = store.bindings().fetch(Now::read_clocks(), &aor(user)).version;
    Write::Bindings(Change { aor: aor(user), version, bindings: bindings.into() })
}

/// What is bound to `user`: phone and CSeq.
pub(crate) fn bound(store: &Store, user: &str) -> Vec<(String, u32)> {
    let bindings = store.bindings().fetch(Now::read_clocks(), &aor(user)).bindings;
    bindings.iter().map(|binding| (binding.call_id().replace("call-of-", ""), binding.cseq())).collect()
}

/// A call by 100 if the number is a multiple of three, to 101 if it is one of five.
pub(crate) fn record(number: u64) -> CallRecord {
    let at = |s: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000 + s);
    let user = |name: &str, factor: u64| number.is_multiple_of(factor).then(|| format!("{name}@pbx.example"));
    CallRecord {
        id: Id { shard: 1, number },
        call_id: format!("call-{number}"),
        from: "sip:a@pbx.example".into(),
        to: "sip:b@pbx.example".into(),
        caller: user("100", 3),
        callee: user("101", 5),
        source: "192.0.2.1:5060".parse().unwrap(),
        started: at(number * 10),
        answered: number.is_multiple_of(2).then(|| at(number * 10 + 1)),
        ended: at(number * 10 + 5),
        end: [End::HungUp(Side::Caller), End::HungUp(Side::Callee), End::Cancelled, End::Refused(486), End::Lost]
            [number as usize % 5],
        status: 200,
        how: "101 hung up after 4 s".into(),
    }
}
