use crate::exchange::{Exchange, Outgoing};
use crate::ladder::{Ladder, Rung, What};
use crate::setup::set_up;
use crate::trace::Entry;
use crate::world::{Off, World};
use bytes::Bytes;
use server::Order;
use sip_message::HeaderName;
use sip_transaction::Flow;
use std::panic::Location;
use std::time::Duration;

/// Runs a ladder, and panics with both ladders side by side unless everything happens as it says: every message, in this order, at
/// this time, and nothing else until all timers have run out and the exchange holds nothing any more. The same with 1, 2 and 4 shards.
///
/// ```text
/// given bob registered, alice signs when asked    what is so before: see `setup`
/// alice -> exchange  INVITE bob                   alice is a script: this is sent
/// exchange -> bob    INVITE         ; lost        the exchange is not: this is expected, and lost
/// +500ms exchange -> bob  INVITE                  that much later than the line above; without, at the same moment
///     Max-Forwards: 69                            a header field to be found (`*` stands for anything, `-` for no such field);
/// bob -> exchange    180, 200                     below a message that is sent: a field that it gets
/// alice => exchange  MESSAGE bob                  over a stream
/// bob -> exchange    200 again                    the very same bytes once more
/// bob -> exchange    "nonsense"                   anything else
/// bob closes exchange                             the stream between both
/// bob refuses                                     what is `; stuck` is told to be unsendable
/// dave dials bob                                  dave has a phone (`given dave has a phone`): he also `answers`, `declines`,
///                                                 `hangs up`, `registers`, `texts bob`, and has `heard bob` in his last call
/// exchange hangs up                               it ends all calls that it watches; it also `is overloaded`, `is killed` and `starts`,
///                                                 `restarts`, `cannot write` and `can write again`, `drains` and `takes calls again`
/// exchange tells bob hung up after 12 s           its next event: how a call has ended, who has offended
/// +32s                                            time passes
/// ```
///
/// Scripts know how a message is put together (dialogs, credentials, Via, ACK, CANCEL); `{bob}` is bob's address, `{route}` and
/// `{route uri}` the sender's first Route, `{forged route}` one that somebody has tampered with, `{record routes}`, `{top via}` and `{path}` what
/// the last request came with.
#[track_caller]
pub fn check(text: &str) {
    check_with(|_| {}, text);
}

/// The same, with an exchange that is set up otherwise.
#[track_caller]
pub fn check_with(configure: fn(&mut server::Config), text: &str) {
    for shards in [1, 2, 4] {
        play(text, shards, configure);
    }
}

/// Runs a ladder with so many shards, checks it, and hands out the world that is left.
#[track_caller]
pub fn run(text: &str, shards: usize) -> World {
    play(text, shards, |_| {})
}

#[track_caller]
fn play(text: &str, shards: usize, configure: fn(&mut server::Config)) -> World {
    let ladder = Ladder::parse(text);
    let mut world = set_up(&ladder, shards, 7, configure);
    let rungs = ladder.steps.iter().filter_map(|step| match &step.what {
        What::Message(rung) => Some(rung),
        _ => None,
    });
    let mut play =
        Play { rungs: rungs.cloned().collect(), times: Vec::new(), failure: None, caller: Location::caller() };
    world.fates = play.rungs.iter().map(|rung| rung.fate).collect();
    let mut at = Duration::ZERO;
    for step in &ladder.steps {
        at += step.after;
        play.step(&mut world, at, &step.what);
        if play.failure.is_some() {
            break;
        }
    }
    if play.failure.is_none() {
        world.run_until_quiet();
    }
    play.conclude(&world, shards);
    world
}

/// A ladder being played.
struct Play {
    rungs: Vec<Rung>,
    /// When each rung is due.
    times: Vec<Duration>,
    failure: Option<String>,
    caller: &'static Location<'static>,
}

impl Play {
    fn step(&mut self, world: &mut World, at: Duration, what: &What) {
        if at > world.elapsed() {
            // What is due before must have happened by then, and nothing else.
            world.run_until(at - Duration::from_nanos(1));
            if world.trace.len() > self.times.len() {
                self.failure = Some("a message that the ladder does not have".to_owned());
                return;
            }
        }
        match what {
            What::Message(rung) => self.message(world, at, rung),
            What::Closes { from, to } => {
                world.run_until(at);
                let (from, to) = (world.find(from), world.find(to));
                world.close(from, to);
            }
            What::Refuses => {
                world.run_until(at);
                world.refuse_stuck();
            }
            What::Does { name, words } => {
                world.run_until_now(at);
                self.failure = world.does(name, words);
            }
            What::Nothing => world.run_until(at),
        }
    }

    fn message(&mut self, world: &mut World, at: Duration, rung: &Rung) {
        let nth = self.times.len();
        self.times.push(at);
        if world.script(&rung.from).is_some() {
            world.advance_clock(at);
            let node = world.find(&rung.from);
            world.deliver_to(node);
            world.say(rung);
        }
        while world.trace.len() <= nth && world.step_by(at) {}
        self.failure = match world.trace.get(nth).cloned() {
            None => Some(format!("`{rung}` is missing")),
            Some(entry) if !rung.is(&entry) => Some("another message".to_owned()),
            Some(entry) if entry.at != at => {
                Some(format!("`{rung}` at {} ms, not {} ms", entry.at.as_millis(), at.as_millis()))
            }
            // What a script sends is as the ladder says; of the others it is to be checked.
            Some(_) if world.script(&rung.from).is_some() => None,
            Some(entry) => world.wrong_field(rung, &entry),
        };
    }

    /// Panics unless all went as the ladder says.
    fn conclude(&self, world: &World, shards: usize) {
        let failure = self.failure.clone().or_else(|| {
            let more = world.trace.len() > self.rungs.len();
            more.then(|| "a message that the ladder does not have".to_owned())
        });
        let leaks = world.leaks();
        let failure = failure.or_else(|| (!leaks.is_empty()).then_some(leaks));
        let Some(failure) = failure else { return };
        let mut text =
            format!("\n{failure}\nin the ladder at {}, seed {}, shards {shards}\n\n", self.caller, world.seed);
        text.push_str(&format!("  {:<52} | actual\n", "expected"));
        for nth in 0..self.rungs.len().max(world.trace.len()) {
            let expected = self.rungs.get(nth).map_or(String::new(), |rung| {
                let at = self.times.get(nth).map_or(String::new(), |at| at.as_millis().to_string());
                format!("{at:>6} {rung}")
            });
            let actual = world.trace.get(nth).map_or(String::new(), Entry::to_string);
            let rung = self.rungs.get(nth).filter(|_| self.failure.is_none() || nth + 1 != self.times.len());
            let same = rung.zip(world.trace.get(nth)).is_some_and(|(rung, entry)| rung.is(entry));
            text.push_str(&format!("{} {expected:<52} | {actual}\n", if same { ' ' } else { '!' }));
        }
        if let Some(entry) = self.times.len().checked_sub(1).and_then(|nth| world.trace.get(nth)) {
            let message = String::from_utf8_lossy(&entry.bytes).into_owned();
            text.push_str(&format!("\n{}", message.split("\r\n\r\n").next().unwrap_or("")));
        }
        panic!("{text}");
    }
}

impl World {
    /// Sends what the ladder has a script say.
    fn say(&mut self, rung: &Rung) {
        let fields: Vec<(String, String)> =
            rung.fields.iter().map(|(name, value)| (name.clone(), self.fill_in(&rung.from, value))).collect();
        let words = self.fill_in(&rung.from, &rung.words);
        self.challenge_first(&rung.from, rung.stream, &words, &fields);
        let (from, to) = (self.find(&rung.from), self.find(&rung.to));
        let flow = self.flow(from, to, rung.stream);
        let Some(script) = self.script(&rung.from) else { return };
        let bytes = script.compose(&words, flow, &fields);
        self.send(from, flow, bytes, None);
    }

    /// Lets a script that signs at once be challenged, without the ladder seeing it: nothing comes of a challenge anywhere.
    pub(crate) fn challenge_first(&mut self, name: &str, stream: bool, words: &str, fields: &[(String, String)]) {
        let (node, exchange) = (self.find(name), self.find("exchange"));
        let flow = self.flow(node, exchange, stream);
        let Some(probe) = self.script(name).and_then(|script| script.probe(words, flow, fields)) else { return };
        let reply = self.ask_exchange(flow, probe);
        let method = words.split(' ').next().unwrap_or("");
        if let (Some(script), Some(reply)) = (self.script(name), reply) {
            script.take_challenge(method, reply);
        }
    }

    /// The exchange's first answer to a request, without time, wire or trace.
    pub(crate) fn ask_exchange(&mut self, flow: Flow, bytes: Bytes) -> Option<Bytes> {
        let (now, hosts) = (self.now, self.hosts.clone());
        let exchange = self.exchange("exchange");
        let arrived = Flow { local: flow.remote, remote: flow.local, ..flow };
        let mut outgoing: std::collections::VecDeque<Outgoing> = exchange.handle_packet(now, arrived, bytes).into();
        while let Some(output) = outgoing.pop_front() {
            match output {
                Outgoing::Send { bytes, .. } => return Some(bytes),
                Outgoing::Ask { shard, ask } => outgoing.extend(exchange.answer(now, &hosts, shard, ask)),
                Outgoing::Media { .. } => {}
            }
        }
        None
    }

    /// Puts addresses and routes in the place of their names.
    fn fill_in(&mut self, sender: &str, text: &str) -> String {
        let mut text = text.to_owned();
        let nodes: Vec<(String, String)> =
            self.nodes.iter().map(|node| (format!("{{{}}}", node.name), node.at.to_string())).collect();
        for (name, address) in nodes {
            text = text.replace(&name, &address);
        }
        if let Some(script) = self.script(sender).filter(|_| text.contains('{')) {
            let routes = script.routes();
            let route = routes.first().cloned().unwrap_or_default();
            // Of the token, one letter in its middle.
            let at = route.len() / 3;
            let mut forged = route.clone();
            if let Some(letter) = route.get(at..=at) {
                forged.replace_range(at..=at, if letter == "A" { "B" } else { "A" });
            }
            for (name, value) in [
                ("{route}", &*route),
                ("{route uri}", route.trim_matches(['<', '>'])),
                ("{forged route}", &forged),
                ("{record routes}", &routes.join(", ")),
                ("{top via}", &script.last_value(HeaderName::Via)),
                ("{path}", &script.last_value(HeaderName::Path)),
            ] {
                text = text.replace(name, value);
            }
        }
        text
    }

    /// The first field of a rung that the message does not have like that.
    fn wrong_field(&mut self, rung: &Rung, entry: &Entry) -> Option<String> {
        let message = entry.message()?;
        let mut seen: Vec<&str> = Vec::new();
        for (name, pattern) in &rung.fields {
            let wanted = self.fill_in(&rung.to, pattern);
            let known = HeaderName::from_bytes(name.as_bytes());
            let nth = seen.iter().filter(|known| *known == name).count();
            seen.push(name);
            let found = match &**name {
                "Request-URI" => Some(message.request_uri().to_owned()),
                "Reason-Phrase" => Some(message.reason().to_owned()),
                "Body" => Some(format!("{} bytes", message.body().len())),
                _ if known == HeaderName::Other => {
                    let mut fields = message.all_fields().filter(|field| field.name_text.eq_ignore_ascii_case(name));
                    fields.nth(nth).map(|field| field.value.to_owned())
                }
                _ => message.fields(known).nth(nth).map(str::to_owned),
            };
            let right = match &found {
                Some(found) => wanted != "-" && matches(&wanted, found),
                None => wanted == "-",
            };
            if !right {
                return Some(format!("{name} is {}, not {wanted}", found.as_deref().unwrap_or("not there")));
            }
        }
        None
    }

    /// Has a phone do something, or finds out what it has heard; what is wrong, if that is it.
    fn does(&mut self, name: &str, words: &[String]) -> Option<String> {
        let words: Vec<String> = words.iter().map(|word| self.fill_in(name, word)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let ["heard", other] = words[..] {
            let hz = self.phone(other).hz;
            let share = self.phone(name).heard(hz);
            return (share < 0.9).then(|| format!("{name} heard {other} to {:.0} %", share * 100.0));
        }
        match (name, &words[..]) {
            ("exchange", ["hangs", "up"]) => self.command_exchange(Exchange::hang_up),
            ("exchange", ["is", "overloaded"]) => self.command_exchange(Exchange::overload),
            ("exchange", ["is", "killed"]) => self.kill(name, Off::Refusing),
            ("exchange", ["starts"]) => self.start(name),
            ("exchange", ["restarts"]) => self.restart(name),
            ("exchange", ["cannot", "write"]) => self.exchange(name).store.fails = true,
            ("exchange", ["drains"]) => {
                self.command_exchange(|exchange, now| exchange.order(now, || Order::Drain(true)))
            }
            ("exchange", ["takes", "calls", "again"]) => {
                self.command_exchange(|exchange, now| exchange.order(now, || Order::Drain(false)));
            }
            ("exchange", ["tells", wanted @ ..]) => {
                let told = self.exchange(name).next_told();
                return (told != wanted.join(" ")).then(|| format!("the exchange tells: {told}"));
            }
            ("exchange", ["can", "write", "again"]) => self.exchange(name).store.fails = false,
            _ => {
                let command = self.phone(name).command_of(&words);
                self.command(name, command);
            }
        }
        None
    }

    /// Lets happen what has been under way to this moment, but no timer beyond it.
    fn run_until_now(&mut self, at: Duration) {
        if at > self.elapsed() {
            self.run_until(at);
        }
    }

    fn step_by(&mut self, at: Duration) -> bool {
        let until = self.now.mono + at.saturating_sub(self.elapsed());
        self.step(until)
    }

    fn advance_clock(&mut self, at: Duration) {
        self.now = self.now + at.saturating_sub(self.elapsed());
    }
}

/// Whether a text is like a pattern, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches(tail, &rest[at..]))
        }),
    }
}
