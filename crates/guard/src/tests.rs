use super::*;
use engine::{Network, Now, Rng};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const S: Duration = Duration::from_secs(1);

/// A guard with what its config says, and its clock.
struct Post {
    guard: Guard,
    now: Now,
}

impl Post {
    fn with(config: Config) -> Post {
        Post::part(config, 1)
    }

    fn part(config: Config, parts: usize) -> Post {
        let now = Now::read_clocks();
        Post { guard: Guard::part(now, config, parts, &mut Rng::from_u64(1)), now }
    }

    fn new() -> Post {
        Post::with(Config::default())
    }

    fn wait(&mut self, length: Duration) {
        self.now = self.now + length;
    }

    fn packet(&mut self, from: impl Into<Address>) -> Verdict {
        self.guard.handle_packet(self.now, from.into().0)
    }

    /// How many of so many packets are let in.
    fn packets(&mut self, from: &str, count: usize) -> usize {
        (0..count).filter(|_| matches!(self.packet(from), Verdict::Known | Verdict::Stranger)).count()
    }

    fn known(&mut self, from: impl Into<Address>) {
        self.guard.handle_known(self.now, from.into().0);
    }

    fn offends(&mut self, from: impl Into<Address>, offence: Offence) -> Option<Ban> {
        self.guard.handle_offence(self.now, from.into().0, offence)
    }

    /// How many offences earn a ban, and which.
    fn banned_after(&mut self, from: &str, offence: Offence) -> (usize, Ban) {
        let mut tries = (1..=100_000).filter_map(|count| Some((count, self.offends(from, offence)?)));
        tries.next().expect("a ban")
    }
}

struct Address(IpAddr);

impl From<&str> for Address {
    fn from(text: &str) -> Address {
        Address(text.parse().expect("an address"))
    }
}

/// The n-th of many.
impl From<u32> for Address {
    fn from(number: u32) -> Address {
        Address(Ipv4Addr::from_bits(0x0B00_0000 + number).into())
    }
}

fn network(text: &str) -> Network {
    Network::parse(text).expect("a network")
}

#[test]
fn a_stranger_has_a_rate_and_who_has_proved_who_they_are_has_none() {
    let mut post = Post::new();
    assert_eq!(post.packets("192.0.2.1", 1000), 100);
    assert_eq!(post.packet("192.0.2.1"), Verdict::Limited);
    assert_eq!(post.packets("192.0.2.2", 1000), 100);
    post.wait(S);
    assert_eq!(post.packets("192.0.2.1", 1000), 50);
    post.known("192.0.2.1");
    assert_eq!(post.packets("192.0.2.1", 100_000), 100_000);
    post.wait(KNOWN_FOR - S);
    assert_eq!(post.packet("192.0.2.1"), Verdict::Known);
    post.wait(60 * S);
    assert_eq!(post.packets("192.0.2.1", 1000), 100);
    // Each time is an hour anew.
    post.known("192.0.2.1");
    post.wait(KNOWN_FOR / 2);
    post.known("192.0.2.1");
    post.wait(KNOWN_FOR - S);
    assert_eq!(post.packet("192.0.2.1"), Verdict::Known);
}

#[test]
fn all_of_a_64_is_one_source() {
    let mut post = Post::new();
    assert_eq!((post.packets("2001:db8::1", 60), post.packets("2001:db8::ffff", 60)), (60, 40));
    assert_eq!(post.packets("2001:db8:0:1::1", 60), 60);
    let (_, ban) = post.banned_after("2001:db8::1", Offence::Scanner);
    assert_eq!(ban.network, network("2001:db8::/64"));
    assert_eq!(post.packet("2001:db8::7"), Verdict::Banned);
}

#[test]
fn who_is_on_the_list_may_do_everything() {
    let allow = vec![network("127.0.0.0/8"), network("::1")];
    let mut post = Post::with(Config { allow, ..Config::default() });
    for from in ["127.0.0.1", "::1", "::ffff:127.3.2.1"] {
        assert_eq!(post.packets(from, 1000), 1000, "{from}");
        assert_eq!(post.offends(from, Offence::Scanner), None);
    }
    assert_eq!(post.packets("128.0.0.1", 1000), 100);
    let ban = |text| Ban { network: network(text), until: post.now.wall + S, why: String::new(), times: 1 };
    let (within, around) = (ban("127.0.1.0/24"), ban("120.0.0.0/8"));
    assert_eq!(post.guard.ban(post.now, &within), Err(NotBanned::Allowed));
    assert_eq!(post.guard.ban(post.now, &around), Ok(()));
}

#[test]
fn a_guard_that_is_off_lets_everybody_in() {
    let mut post = Post::with(Config { enabled: false, ..Config::default() });
    assert_eq!(post.packets("192.0.2.1", 10_000), 10_000);
    assert_eq!(post.offends("192.0.2.1", Offence::Scanner), None);
    assert!(post.guard.is_idle(true) && post.guard.sources() == 0);
}

#[test]
fn without_a_rate_nothing_is_kept_of_strangers_but_bans_hold() {
    let mut post = Post::with(Config { stranger_per_s: 0, ..Config::default() });
    assert_eq!(post.packets("192.0.2.1", 10_000), 10_000);
    assert!(post.guard.is_idle(true) && post.guard.sources() == 0);
    post.banned_after("192.0.2.1", Offence::Scanner);
    assert!(!post.guard.is_idle(true));
    assert_eq!(post.packet("192.0.2.1"), Verdict::Banned);
}

#[test]
fn so_many_offences_within_the_window_earn_a_ban_that_says_what_for() {
    let mut post = Post::new();
    let until = post.now.wall + 600 * S;
    let (tries, ban) = post.banned_after("192.0.2.1", Offence::WrongCredentials);
    let why = "20 wrong passwords within 10 minutes".to_owned();
    assert_eq!((tries, &ban), (20, &Ban { network: network("192.0.2.1"), until, why, times: 1 }));
    assert_eq!(post.guard.bans(post.now), [ban]);
    assert_eq!(post.packet("192.0.2.1"), Verdict::Banned);
    assert_eq!(post.packet("192.0.2.2"), Verdict::Stranger);
    // What was under way changes nothing.
    assert_eq!(post.offends("192.0.2.1", Offence::Scanner), None);
    assert_eq!(post.banned_after("192.0.2.2", Offence::UnknownUser).0, 20);
    assert_eq!(post.banned_after("192.0.2.3", Offence::Malformed).0, 80);
    assert_eq!(post.banned_after("192.0.2.4", Offence::Scanner).0, 1);
    let (tries, other) = (0..7).fold((0, None), |(tries, _), _| {
        let mixed = [Offence::WrongCredentials, Offence::UnknownUser, Offence::WrongCredentials];
        (tries + 3, mixed.map(|offence| post.offends("192.0.2.5", offence)).into_iter().flatten().next())
    });
    let why = "13 wrong passwords and 7 requests for users that do not exist within 10 minutes";
    assert_eq!((tries, other.expect("a ban").why.as_str()), (21, why));
}

#[test]
fn offences_that_lie_apart_earn_nothing() {
    let mut post = Post::new();
    for _ in 0..5 {
        assert!((0..19).all(|_| post.offends("192.0.2.1", Offence::WrongCredentials).is_none()));
        post.wait(600 * S);
    }
    assert_eq!(post.banned_after("192.0.2.1", Offence::WrongCredentials).0, 20);
}

#[test]
fn each_ban_is_twice_as_long_as_the_one_before_until_it_is_long_enough() {
    let mut post = Post::with(Config { ban_max: 3600 * S, ..Config::default() });
    for (times, length) in [(1, 600), (2, 1200), (3, 2400), (4, 3600), (5, 3600)] {
        let (_, ban) = post.banned_after("192.0.2.1", Offence::WrongCredentials);
        assert_eq!((ban.times, ban.until), (times, post.now.wall + length * S));
        post.wait(length * S - S);
        assert_eq!(post.packet("192.0.2.1"), Verdict::Banned);
        post.wait(S);
        assert_eq!(post.packet("192.0.2.1"), Verdict::Stranger);
        assert_eq!(post.guard.bans(post.now), []);
    }
    // It is remembered as long as the longest lasts.
    post.wait(3600 * S - S);
    post.guard.handle_timeout(post.now);
    assert_eq!(post.guard.take_forgotten(), []);
    post.wait(S);
    post.guard.handle_timeout(post.now);
    assert_eq!(post.guard.take_forgotten(), [network("192.0.2.1")]);
    assert_eq!(post.offends("192.0.2.1", Offence::Scanner).expect("a ban").times, 1);
}

#[test]
fn a_lifted_ban_is_forgotten() {
    let mut post = Post::new();
    post.banned_after("192.0.2.1", Offence::WrongCredentials);
    assert!(!post.guard.unban(post.now, &network("192.0.2.2")) && !post.guard.unban(post.now, &network("0.0.0.0/0")));
    assert!(post.guard.unban(post.now, &network("192.0.2.1")));
    assert!(!post.guard.unban(post.now, &network("192.0.2.1")));
    assert_eq!(post.packet("192.0.2.1"), Verdict::Stranger);
    let (tries, ban) = post.banned_after("192.0.2.1", Offence::WrongCredentials);
    assert_eq!((tries, ban.times), (20, 1));
}

#[test]
fn networks_are_banned_at_command_but_not_everybody() {
    let mut post = Post::new();
    let mut ban = |text, length| {
        let ban = Ban { network: network(text), until: post.now.wall + length, why: "w".to_owned(), times: 1 };
        post.guard.ban(post.now, &ban)
    };
    assert_eq!(ban("0.0.0.0/0", S), Err(NotBanned::TooWide));
    assert_eq!(ban("2000::/3", S), Err(NotBanned::TooWide));
    for text in ["198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "192.0.2.1", "2001:db9::7"] {
        assert_eq!(ban(text, 2 * S), Ok(()), "{text}");
    }
    assert_eq!(ban("192.0.2.1", S), Ok(()));
    for (from, verdict) in [
        ("198.51.100.255", Verdict::Banned),
        ("203.0.113.0", Verdict::Banned),
        ("203.0.114.0", Verdict::Stranger),
        ("2001:db8:ffff::1", Verdict::Banned),
        ("2001:db9::1", Verdict::Banned),
        ("2001:db9:0:1::1", Verdict::Stranger),
        ("192.0.2.1", Verdict::Banned),
        ("192.0.2.0", Verdict::Stranger),
    ] {
        assert_eq!(post.packet(from), verdict, "{from}");
    }
    post.wait(S);
    let all: Vec<String> = post.guard.bans(post.now).iter().map(|ban| ban.network.to_string()).collect();
    assert_eq!(all, ["2001:db8::/32", "2001:db9::/64", "198.51.100.0/24", "203.0.113.0/24"]);
    assert!(post.guard.unban(post.now, &network("198.51.100.0/24")));
    assert_eq!((post.packet("198.51.100.255"), post.packet("203.0.113.1")), (Verdict::Stranger, Verdict::Banned));
}

#[test]
fn who_is_known_is_not_banned_for_what_others_could_forge() {
    let mut post = Post::new();
    post.known("192.0.2.1");
    for offence in [Offence::Scanner, Offence::UnknownUser, Offence::Malformed] {
        assert!((0..1000).all(|_| post.offends("192.0.2.1", offence).is_none()));
    }
    // One phone of an office has an old password: it tries 20 times in 10 minutes, for ever.
    for _ in 0..10 {
        assert!((0..20).all(|_| post.offends("192.0.2.1", Offence::WrongCredentials).is_none()));
        post.wait(600 * S);
        post.known("192.0.2.1");
    }
    let (tries, ban) = post.banned_after("192.0.2.1", Offence::WrongCredentials);
    assert_eq!((tries, ban.why.as_str()), (200, "200 wrong passwords within 10 minutes"));
    assert_eq!(post.packet("192.0.2.1"), Verdict::Banned);
    // Its good name is gone.
    post.guard.unban(post.now, &network("192.0.2.1"));
    assert_eq!(post.packet("192.0.2.1"), Verdict::Stranger);
}

#[test]
fn a_new_configuration_forgets_nobody() {
    let mut post = Post::new();
    post.known("192.0.2.1");
    post.banned_after("192.0.2.2", Offence::Scanner);
    post.guard.configure(Config { stranger_per_s: 1, stranger_burst: 1, failures_max: 1, ..Config::default() });
    assert_eq!((post.packet("192.0.2.1"), post.packet("192.0.2.2")), (Verdict::Known, Verdict::Banned));
    assert_eq!(post.packets("192.0.2.3", 10), 1);
    assert_eq!(post.banned_after("192.0.2.3", Offence::UnknownUser).0, 1);
}

#[test]
fn a_flood_of_a_million_sources_takes_no_room() {
    let mut post = Post::new();
    post.known("192.0.2.1");
    let mut let_in = 0;
    for number in 0..1_000_000_u32 {
        post.wait(Duration::from_micros(20)); // 50,000 a second
        let_in += u32::from(post.packet(number) == Verdict::Stranger);
        // Each has a name of a scanner, or asks for somebody.
        post.offends(number, if number % 2 == 0 { Offence::Scanner } else { Offence::UnknownUser });
    }
    assert_eq!(let_in, 1_000_000); // strangers together are another bucket's business
    assert!(post.guard.sources() <= SOURCES_MAX + OFFENDERS_MAX, "{:?}", post.guard);
    assert!(post.guard.source_bytes() <= 64 * (SOURCES_MAX + OFFENDERS_MAX));
    assert!(post.guard.bans(post.now).len() <= BANS_AT_ONCE_MAX as usize + 21);
    assert_eq!(post.packet("192.0.2.1"), Verdict::Known);
    post.guard.check();
}

#[test]
fn a_source_costs_at_most_64_bytes() {
    for count in [10_000, 50_000, 57_400, 60_000] {
        let mut post = Post::new();
        assert!((0..count).all(|number| post.offends(number, Offence::UnknownUser).is_none()));
        assert_eq!(post.guard.sources(), count as usize);
        let each = post.guard.source_bytes() / count as usize;
        assert!(each <= 64, "{each} bytes for each of {count}");
    }
}

#[test]
fn there_is_room_for_so_many_strangers_and_the_one_longest_silent_goes() {
    let mut post = Post::part(Config { stranger_per_s: 1, stranger_burst: 2, ..Config::default() }, 1024);
    let max = (SOURCES_MAX / 1024) as u32;
    for number in 0..max {
        assert_eq!((post.packet(number), post.packet(number)), (Verdict::Stranger, Verdict::Stranger));
    }
    assert_eq!(post.packet(0), Verdict::Limited); // it is not silent
    assert_eq!(post.packet(max), Verdict::Stranger);
    assert_eq!(post.guard.sources(), max as usize);
    assert_eq!(post.packet(0), Verdict::Limited);
    assert_eq!(post.packet(1), Verdict::Stranger); // forgotten
    post.guard.check();
}

#[test]
fn strangers_who_have_been_silent_leave_their_place() {
    let mut post = Post::new();
    assert!((0..100_u32).all(|number| post.packet(number) == Verdict::Stranger));
    post.wait(S);
    assert!((100..200_u32).all(|number| post.packet(number) == Verdict::Stranger));
    assert_eq!(post.guard.sources(), 100);
}

#[test]
fn there_is_room_for_so_many_offenders_and_strangers_do_not_push_them_out() {
    let mut post = Post::part(Config::default(), 1024);
    let max = (OFFENDERS_MAX / 1024) as u32;
    let offend =
        |post: &mut Post, number, count| (0..count).all(|_| post.offends(number, Offence::UnknownUser).is_none());
    assert!((0..=max).all(|number| offend(&mut post, number, 19)));
    assert!((1000..10_000_u32).all(|number| post.packet(number) == Verdict::Stranger));
    assert!(post.offends(max, Offence::UnknownUser).is_some());
    assert!(post.offends(1, Offence::UnknownUser).is_some());
    assert!(offend(&mut post, 0, 19)); // the oldest, and forgotten
    post.guard.check();
}

#[test]
fn there_is_room_for_so_many_known_ones_and_who_proved_it_longest_ago_is_a_stranger_again() {
    let mut post = Post::part(Config::default(), KNOWN_MAX / 8);
    for number in 0..8 {
        post.known(number);
        post.wait(60 * S);
    }
    post.known(0_u32);
    assert_eq!(post.guard.known(post.now), 8);
    post.known(8_u32);
    assert_eq!(post.guard.known(post.now), 8);
    let strangers: Vec<u32> = (0..9).filter(|number| post.packet(*number) == Verdict::Stranger).collect();
    assert_eq!(strangers, [1]);
}

#[test]
fn a_million_known_ones_find_a_place() {
    let mut post = Post::new();
    (0..1_000_000_u32).for_each(|number| post.known(number));
    let lost = (0..1_000_000_u32).filter(|number| post.packet(*number) != Verdict::Known).count();
    assert!(lost < 10_000, "{lost}");
    assert!((2_000_000..2_100_000_u32).all(|number| post.packet(number) == Verdict::Stranger));
}

#[test]
fn there_is_room_for_so_many_bans_and_the_one_that_ends_first_goes() {
    let mut post = Post::part(Config::default(), 1024);
    let max = (BANS_MAX / 1024) as u32;
    for number in 0..=max {
        let network = Network::of(Address::from(number).0, 32);
        let until = post.now.wall + (1000 - number) * S;
        let ban = Ban { network, until, why: "é".repeat(WHY_BYTES_MAX), times: 1 };
        post.guard.ban(post.now, &ban).expect("not allowed");
    }
    assert_eq!(post.guard.take_forgotten(), [Network::of(Address::from(max - 1).0, 32)]);
    let bans = post.guard.bans(post.now);
    assert_eq!((bans.len() as u32, bans[0].why.len()), (max, WHY_BYTES_MAX));
    assert_eq!((post.packet(max - 1), post.packet(max), post.packet(0)), {
        (Verdict::Stranger, Verdict::Banned, Verdict::Banned)
    });
}

#[test]
fn offences_earn_so_many_bans_at_once_and_then_one_each_second() {
    let mut post = Post::part(Config::default(), 64);
    let most = BANS_AT_ONCE_MAX / 64;
    let banned =
        |post: &mut Post, from: u32| (from..from + 1000).filter_map(|n| post.offends(n, Offence::Scanner)).count();
    assert_eq!(banned(&mut post, 0) as u32, most);
    post.wait(3 * S);
    assert_eq!(banned(&mut post, 1000), 3);
    // Who is not banned now has only to go on.
    post.wait(S);
    assert!(post.offends(999_u32, Offence::UnknownUser).is_none() && post.offends(999_u32, Offence::Scanner).is_some());
}

#[test]
fn whatever_happens_the_tables_stay_whole() {
    let mut rng = Rng::from_u64(7);
    for parts in [1, 16_384] {
        let mut post = Post::part(Config { stranger_per_s: 2, ..Config::default() }, parts);
        for step in 0..20_000 {
            let who = rng.below(300) as u32;
            match rng.below(8) {
                0..=2 => {
                    post.packet(who);
                }
                3 => post.known(who),
                4 => drop(post.offends(who, Offence::WrongCredentials)),
                5 => drop(post.offends(who, Offence::Malformed)),
                6 if step % 50 == 0 => drop(post.offends(who, Offence::Scanner)),
                _ => post.wait(Duration::from_millis(rng.below(5000))),
            }
        }
        post.guard.check();
    }
}
