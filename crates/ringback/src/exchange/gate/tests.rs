use super::*;
use net::Gate as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

const S: Duration = Duration::from_secs(1);

struct Door {
    gate: Gate,
    now: Now,
    notes: Arc<Mutex<Vec<Note>>>,
}

fn config() -> GateConfig {
    GateConfig { guard: Config::default(), strangers_per_s: 20_000 }
}

impl Door {
    fn new(config: &GateConfig, bans: &[Ban]) -> Door {
        let (now, notes) = (Now::read_clocks(), Arc::<Mutex<Vec<Note>>>::default());
        let kept = notes.clone();
        let gate = Gate::new(now, config, bans, move |note| lock(&kept).push(note), &mut Rng::from_u64(1));
        Door { gate, now, notes }
    }

    fn admits(&self, from: IpAddr) -> bool {
        self.gate.admits(self.now, SocketAddr::new(from, 5060))
    }

    /// How many of so many packets are let in, each from another source.
    fn strangers(&self, count: u32) -> u32 {
        (0..count).map(|n| u32::from(self.admits(nth(n)))).sum()
    }

    fn notes(&self) -> Vec<Note> {
        std::mem::take(&mut *lock(&self.notes))
    }
}

fn nth(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0B00_0000 + number).into()
}

fn network(text: &str) -> Network {
    Network::parse(text).expect("a network")
}

#[test]
fn what_strangers_may_do_together_is_what_was_configured_whatever_parts_they_are_in() {
    let mut door = Door::new(&config(), &[]);
    assert_eq!(door.strangers(50_000), 2000);
    for _ in 0..10 {
        door.now = door.now + S / 100;
        assert_eq!(door.strangers(1000), 200);
    }
    door.gate.handle_known(door.now, nth(0));
    assert!((0..10_000).all(|_| door.admits(nth(0))));
    let totals = door.gate.totals(door.now);
    assert_eq!((totals.limited_together, totals.limited, totals.known), (48_000 + 8000, 0, 1));
}

#[test]
fn strangers_may_send_less_while_drivers_are_overloaded() {
    let mut door = Door::new(&config(), &[]);
    let mut burst_after = |s: u32, overloaded: Option<bool>| {
        door.now = door.now + s * S;
        if let Some(overloaded) = overloaded {
            door.gate.handle_overload(door.now, overloaded);
        }
        door.gate.tend(door.now);
        door.now = door.now + S / 2; // the bucket is full
        door.strangers(3000)
    };
    assert_eq!(burst_after(1, None), 2000);
    assert_eq!(burst_after(1, Some(true)), 500);
    assert_eq!(burst_after(1, None), 250);
    assert_eq!(burst_after(1, Some(true)), 62); // another driver
    assert_eq!(burst_after(1, Some(false)), 31);
    assert_eq!(burst_after(100, None), 31); // never less than that
    assert_eq!(
        [(1, Some(false)), (10, None), (10, None), (1, None)].map(|(s, told)| burst_after(s, told)),
        [31, 62, 125, 125]
    );
    let all: Vec<u32> = (0..5).map(|_| burst_after(10, None)).collect();
    assert_eq!(all, [250, 500, 1000, 2000, 2000]);
}

#[test]
fn one_stranger_has_his_own_limit() {
    let door = Door::new(&config(), &[]);
    assert_eq!((0..1000).filter(|_| door.admits(nth(1))).count(), 100);
    assert_eq!(door.gate.totals(door.now).limited, 900);
}

#[test]
fn nothing_is_asked_where_nothing_can_be_refused() {
    let off = GateConfig { guard: Config { enabled: false, ..Config::default() }, ..config() };
    let open = GateConfig { guard: Config { stranger_per_s: 0, ..Config::default() }, strangers_per_s: 0 };
    let half_open = GateConfig { strangers_per_s: 10, ..open.clone() };
    let is_idle = |config: &GateConfig| Door::new(config, &[]).gate.idle.load(Relaxed);
    assert!(is_idle(&off) && is_idle(&open) && !is_idle(&half_open) && !is_idle(&config()));
    let door = Door::new(&open, &[]);
    door.gate.handle_offence(door.now, nth(1), Offence::Scanner);
    assert!(!door.admits(nth(1)) && door.admits(nth(2)));
    assert!(door.gate.unban(door.now, Network::of(nth(1), 32)));
    assert!(door.admits(nth(1)) && door.gate.idle.load(Relaxed));
    door.gate.configure(&half_open);
    assert!(!door.gate.idle.load(Relaxed) && door.strangers(100) == 1);
}

#[test]
fn bans_are_written_down_told_once_and_lifted() {
    let mut door = Door::new(&config(), &[]);
    for n in 0..7 {
        (0..20).for_each(|_| door.gate.handle_offence(door.now, nth(n), Offence::WrongCredentials));
    }
    let bans = door.gate.bans(door.now);
    assert_eq!(bans.len(), 7);
    assert!((0..7).all(|n| !door.admits(nth(n))) && door.admits(nth(7)));
    assert_eq!(door.notes(), (0..7).map(|n| Note::Ban(bans[n].clone())).collect::<Vec<_>>());
    let line = door.gate.tend(door.now).expect("news");
    assert!(line.starts_with("banned 11.0.0.0 for 10 min (20 wrong passwords within 10 minutes); 11.0.0.1 "), "{line}");
    assert!(line.ends_with("; and 2 more"), "{line}");
    assert_eq!(door.gate.tend(door.now), None);
    assert!(door.gate.unban(door.now, network("11.0.0.3")) && !door.gate.unban(door.now, network("11.0.0.99")));
    assert!(door.admits(nth(3)) && !door.admits(nth(4)));
    assert_eq!(door.notes(), [Note::Unban(network("11.0.0.3")), Note::Unban(network("11.0.0.99"))]);
    // A day after its end nobody remembers a ban, and neither does the store.
    door.now = door.now + 600 * S + Config::default().ban_max;
    assert_eq!((door.gate.tend(door.now), door.gate.bans(door.now).len()), (None, 0));
    assert_eq!(door.notes().len(), 6);
    let totals = door.gate.totals(door.now);
    assert_eq!((totals.bans, totals.offences, totals.bans_in_force), (7, [140, 0, 0, 0], 0));
}

#[test]
fn bans_of_networks_hold_in_all_parts_and_are_listed_once() {
    let door = Door::new(&config(), &[]);
    let until = door.now.wall + S;
    assert_eq!(door.gate.ban(door.now, network("11.0.0.0/8"), until, "nobody there is a customer"), Ok(()));
    assert_eq!(door.gate.ban(door.now, network("0.0.0.0/0"), until, ""), Err(NotBanned::TooWide));
    assert_eq!(door.strangers(1000), 0);
    let bans = door.gate.bans(door.now);
    assert_eq!((bans.len(), bans[0].why.as_str()), (1, "nobody there is a customer"));
    assert_eq!(door.notes(), [Note::Ban(bans[0].clone())]);
    assert!(door.gate.unban(door.now, network("11.0.0.0/8")) && door.gate.bans(door.now).is_empty());
    assert_eq!(door.strangers(1000), 1000);
}

#[test]
fn who_was_banned_before_is_banned_still() {
    let earlier = Door::new(&config(), &[]);
    earlier.gate.handle_offence(earlier.now, nth(1), Offence::Scanner);
    let until = earlier.now.wall + 3600 * S;
    earlier.gate.ban(earlier.now, network("12.0.0.0/16"), until, "").expect("not allowed");
    let bans = earlier.gate.bans(earlier.now);
    let mut door = Door::new(&config(), &bans);
    assert_eq!((door.gate.bans(door.now), door.notes()), (bans, vec![]));
    assert!(!door.admits(nth(1)) && !door.admits("12.0.7.7".parse().expect("an address")));
    // And the next one is its second.
    door.now = door.now + 600 * S;
    door.gate.handle_offence(door.now, nth(1), Offence::Scanner);
    assert!(matches!(&door.notes()[..], [Note::Ban(ban)] if ban.times == 2));
}

#[test]
fn bans_and_good_names_outlive_a_restart() {
    let (now, mut rng) = (Now::read_clocks(), Rng::from_u64(1));
    let store = Store::volatile(store::Options::default(), &mut rng);
    let gate = Gate::over(&store, now, &config(), &mut rng);
    gate.handle_offence(now, nth(1), Offence::Scanner);
    gate.ban(now, network("12.0.0.0/16"), now.wall + 3600 * S, "at command").expect("not allowed");
    gate.ban(now, network("13.0.0.0/16"), now.wall + 3600 * S, "by mistake").expect("not allowed");
    gate.unban(now, network("13.0.0.0/16"));
    register(&store, now, nth(2));
    let bans = gate.bans(now);
    drop(gate);
    let gate = Gate::over(&store, now, &config(), &mut rng);
    assert_eq!((gate.bans(now), gate.totals(now).known), (bans, 1));
    assert!((0..1000).all(|_| gate.admits(now, SocketAddr::new(nth(2), 5060))));
}

/// Waits until it is written down, and so everything before it.
fn register(store: &Store, now: Now, from: IpAddr) {
    let (local, remote) = ("127.0.0.1:5060".parse().expect("an address"), SocketAddr::new(from, 5060));
    let parts = sip_registrar::Parts {
        contact: "sip:a@11.0.0.2",
        params: "",
        call_id: "a",
        user_agent: "",
        path: "",
        cseq: 1,
        q: 1000,
        expires_at_s: (now.unix_s() + 60) as u32,
        flow: sip_transaction::Flow { transport: sip_message::Transport::Udp, local, remote, connection: None },
    };
    let aor = sip_registrar::AddressOfRecord::new("a", "example.org").expect("a name");
    let bindings = [sip_registrar::Binding::new(parts).expect("a binding")].into();
    let change = sip_registrar::Change { aor, version: 0, bindings };
    assert_eq!(store.change_and_wait(Write::Bindings(change)), sip_registrar::Outcome::Committed);
}
