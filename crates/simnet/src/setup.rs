//! What is so before a ladder begins: its `given` lines.

use crate::ladder::Ladder;
use crate::script::{Script, Signing, password_of};
use crate::{DOMAIN, ExchangeConfig, Pace, World};
use routing::Place;
use sip_message::{Message, Transport};
use std::sync::Arc;
use std::time::Duration;

/// Who has an account.
const USERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// The world of a ladder: everybody it names, and what it says is given.
pub(crate) fn set_up(ladder: &Ladder, shards: usize, seed: u64, configure: fn(&mut server::Config)) -> World {
    let mut world = World::new(seed);
    let given = |words: &[&str]| ladder.givens.iter().any(|clause| clause == words);
    let config = ExchangeConfig {
        shards,
        auth_required: !given(&["exchange", "trusts", "everybody"]),
        record_route: !given(&["exchange", "stays", "out", "of", "dialogs"]),
        configure,
    };
    world.add_exchange("exchange", &config);
    for user in USERS {
        world.add_account("exchange", user);
    }
    for name in ladder.names().iter().filter(|name| *name != "exchange") {
        let user = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let ours = USERS.contains(&user);
        let domain = if ours { DOMAIN } else { "elsewhere.test" };
        if let Some(given) = ladder.phone_of(name) {
            let transport = if given.contains(&"tcp".to_owned()) { Transport::Tcp } else { Transport::Udp };
            world.add_phone(name, ours.then(|| account_of(user)), transport);
            continue;
        }
        let signing = if ours && config.auth_required { Signing::Before } else { Signing::Never };
        world.add_script(|at, rng| Script::new(name, user, domain, signing, at, rng), name);
    }
    for clause in &ladder.givens {
        give(&mut world, &clause.iter().map(String::as_str).collect::<Vec<_>>());
    }
    if world.has_phones() {
        world.run_until(Duration::from_secs(40));
        world.begin();
    }
    world
}

fn account_of(user: &str) -> phone::Account {
    phone::Account {
        user: user.to_owned(),
        password: password_of(user),
        domain: DOMAIN.to_owned(),
        display: None,
        via: None,
        transport: None,
    }
}

fn give(world: &mut World, clause: &[&str]) {
    match clause {
        ["exchange", "trusts", "everybody"] | ["exchange", "stays", "out", "of", "dialogs"] => {}
        ["exchange", "writes", "slowly"] => {
            let ms = Duration::from_millis;
            world.exchange("exchange").store.pace = Pace { write: ms(50), answer: ms(50), jitter: Duration::ZERO };
        }
        ["exchange", "asks", "slowly"] => world.answer_delay = Duration::from_millis(50),
        [host, "is", names @ ..] if host.starts_with("host:") => {
            let addresses = names.iter().map(|name| world.address(name)).collect();
            world.hosts.insert(host.trim_start_matches("host:").to_owned(), addresses);
        }
        [name, "signs", "when", "asked"] => script(world, name).signing = Signing::WhenAsked,
        [name, "never", "signs"] => script(world, name).signing = Signing::Never,
        [name, "has", "password", password] => script(world, name).password = (*password).to_owned(),
        [name, "claims", "to", "be", user] => {
            let script = script(world, name);
            script.user = (*user).to_owned();
            script.domain = DOMAIN.to_owned();
            script.signing = Signing::WhenAsked;
        }
        [name, "registered", "over", stream] => {
            speak(world, name, stream);
            register(world, name, true, "");
        }
        [name, "speaks", stream] => speak(world, name, stream),
        [name, "forwards", when, "to", place] => {
            let place = Some(Place::parse(place).expect("a place"));
            let all = &mut world.exchange("exchange").forwards;
            let forwards = Arc::make_mut(all.entry((*name).to_owned()).or_default());
            match *when {
                "always" => forwards.always = place,
                "busy" => forwards.busy = place,
                "silence" => forwards.no_answer = place,
                "absence" => forwards.not_registered = place,
                _ => panic!("forwards when? {when}"),
            }
        }
        [name, "registered"] => register(world, name, false, ""),
        [name, "registered", params] => register(world, name, false, params),
        [_] | [_, "has", "a", "phone"] | [_, "has", "a", "phone", "on", "tcp"] => {}
        [name, "has", "a", "registered", "phone", ..] => {
            let command = world.phone(name).command_of(&["registers"]);
            world.command(name, command);
        }
        _ => panic!("given what? {}", clause.join(" ")),
    }
}

/// What somebody's streams are.
fn speak(world: &mut World, name: &str, stream: &str) {
    let node = world.find(name);
    world.nodes[node].stream = Transport::parse(stream).unwrap_or_else(|| panic!("{stream} is no transport"));
}

fn script<'w>(world: &'w mut World, name: &str) -> &'w mut Script {
    world.script(name).unwrap_or_else(|| panic!("{name} is no script"))
}

/// Registers without the ladder seeing it.
fn register(world: &mut World, name: &str, stream: bool, params: &str) {
    script(world, name).contact_params = params.to_owned();
    let reply = world.behind_the_scenes(name, stream, "REGISTER exchange");
    assert_eq!(reply.map(|reply| reply.status()), Some(200), "{name} registers");
}

impl World {
    /// Has a script send a request to the exchange and takes the answer, without time, wire or trace.
    fn behind_the_scenes(&mut self, name: &str, stream: bool, words: &str) -> Option<Message> {
        self.challenge_first(name, stream, words, &[]);
        let (node, exchange) = (self.find(name), self.find("exchange"));
        let flow = self.flow(node, exchange, stream);
        let bytes = self.script(name)?.compose(words, flow, &[]);
        let reply = self.ask_exchange(flow, bytes)?;
        Message::parse(reply).ok()
    }
}
