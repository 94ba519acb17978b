//! `ringback demo`: an exchange and two phones in this process, and a call between them over real sockets.

mod ladder;
mod likeness;

use crate::console::Console;
use crate::exchange::{Exchange, Setup, World};
use crate::exit::{Exit, Failure, Outcome};
use crate::wav;
use clap::Args;
use ladder::Ladder;
use likeness::likeness;
use media::Source;
use media::compare::SAME_CORRELATION;
use net::{ListenConfig, PhoneShell, PhoneShellConfig, Tap};
use phone::{AccountId, Answering, CallId, Command, Dial, Event};
use serde_json::json;
use server::Domains;
use sip_auth::Secrets;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use store::{Account, Options, Store};

const REALM: &str = "ringback";
/// Anything on one machine takes less.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it rings.
const RINGING: Duration = Duration::from_millis(400);
/// What both ends must hear at least.
const MOS_MIN: f64 = 4.0;

/// What each phone says, by its number.
const SPEECH: [(&str, &[u8]); 2] =
    [("100", include_bytes!("../../../assets/100.wav")), ("101", include_bytes!("../../../assets/101.wav"))];

/// Shows a whole call: an exchange and two phones in this process, speech both ways, over real sockets.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback demo")]
pub(crate) struct Arguments {
    /// How long the two talk
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    let speech = SPEECH.map(|(_, bytes)| wav::from_bytes(bytes).expect("the speech in this binary is WAV"));
    let passwords = [(); 2].map(|()| crate::secrets::password(&mut net::system_rng()));
    let (ladder, lines) = Ladder::new();
    let ladder = Arc::new(ladder);
    let printer = {
        let console = *console;
        std::thread::spawn(move || ladder::print(&lines, &console))
    };
    let exchange = start_exchange(&passwords, ladder.clone())?;
    let at = exchange.addresses()[0].address;
    let answering = Answering::Answer { after: RINGING, play: looped(&speech[1]), record: true };
    let phones = [
        start_phone(SPEECH[0].0, &passwords[0], at, Answering::Ring)?,
        start_phone(SPEECH[1].0, &passwords[1], at, answering)?,
    ];
    ladder.name_ports([&phones[0], &phones[1]].map(|phone| phone.local_addresses()[0].address.port()));
    let heard = call(&phones, &speech, Duration::from_secs(arguments.seconds), &ladder);
    drop(phones);
    drop(exchange);
    // The last who could add a line; then the printer comes to its end.
    drop(ladder);
    let _ = printer.join();
    report(heard?, &speech, console)
}

fn start_exchange(passwords: &[String; 2], tap: Arc<dyn Tap>) -> Result<Exchange, Failure> {
    let account = |(name, password): (&str, &String)| Account::new(name, REALM, Secrets::new(name, REALM, password));
    let accounts = SPEECH.iter().map(|(name, _)| *name).zip(passwords).map(account).collect();
    let options = Options { realm: REALM.to_owned(), accounts, keep_records: Duration::ZERO };
    let mut rng = net::system_rng();
    let mut secret = [0; 32];
    rng.fill(&mut secret);
    let domains = Domains::new([Ipv4Addr::LOCALHOST.to_string()], Vec::new()).map_err(Failure::usage)?;
    let setup = Setup {
        listen: loopback(),
        drivers: 1,
        server: server::Config {
            realm: REALM.to_owned(),
            ..server::Config::new(domains, server::Keys::from_secret(secret))
        },
        world: World::of(Store::volatile(options, &mut rng), None, true),
        dns: net::DnsConfig::default(),
        tls: None,
        tap: Some(tap),
    };
    Exchange::start(setup).map_err(Failure::usage)
}

fn start_phone(user: &str, password: &str, exchange: SocketAddr, answering: Answering) -> Result<PhoneShell, Failure> {
    let account = phone::Account {
        user: user.to_owned(),
        password: password.to_owned(),
        domain: exchange.to_string(),
        display: None,
        via: None,
        transport: None,
    };
    let config = phone::Config { accounts: vec![account], answering, ..phone::Config::default() };
    let shell = PhoneShellConfig { listen: loopback(), ..PhoneShellConfig::default() };
    PhoneShell::start(shell, config).map_err(Failure::usage)
}

fn loopback() -> ListenConfig {
    ListenConfig { udp: vec![(Ipv4Addr::LOCALHOST, 0).into()], ..ListenConfig::default() }
}

fn looped(samples: &[i16]) -> Source {
    Source::Samples { samples: samples.into(), looped: true }
}

/// What one end heard.
struct Heard {
    report: media::Report,
    recording: Vec<i16>,
}

/// Registers both, lets 100 call 101, and hangs up after `talk`.
fn call(
    phones: &[PhoneShell; 2],
    speech: &[Vec<i16>; 2],
    talk: Duration,
    ladder: &Ladder,
) -> Result<[Heard; 2], Failure> {
    let [caller, callee] = phones;
    for phone in phones {
        phone.send(Command::Register { account: AccountId(0), expires_s: 3600 });
        wait(phone, PATIENCE, |event| matches!(event, Event::RegistrationOk { .. }).then_some(()))?;
    }
    let uri = SPEECH[1].0.to_owned();
    let dial = Dial { call: 1, uri, account: Some(AccountId(0)), play: looped(&speech[0]), record: true };
    caller.send(Command::Dial(dial));
    for phone in phones {
        wait(phone, PATIENCE, |event| matches!(event, Event::Heard { .. }).then_some(()))?;
    }
    ladder.sound();
    // Nothing is to happen while they talk.
    match wait(caller, talk, |event| matches!(event, Event::Ended { .. }).then_some(())) {
        Err(failure) if failure.text == STILL => {}
        _ => return Err(Failure::negative("the call ended too early")),
    }
    caller.send(Command::Hangup { call: CallId::Placed(1) });
    let heard = |phone: &PhoneShell| {
        wait(phone, PATIENCE, |event| match event {
            Event::Media { report, recording, .. } => {
                Some(Heard { report: *report, recording: std::mem::take(recording) })
            }
            _ => None,
        })
    };
    let heard = [heard(caller)?, heard(callee)?];
    for phone in phones {
        wait(phone, PATIENCE, |event| matches!(event, Event::Ended { .. }).then_some(()))?;
    }
    Ok(heard)
}

const STILL: &str = "nothing happened in time";

/// The first event that `wanted` takes.
fn wait<T>(phone: &PhoneShell, patience: Duration, wanted: impl Fn(&mut Event) -> Option<T>) -> Result<T, Failure> {
    let deadline = Instant::now() + patience;
    loop {
        match phone.events().recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(mut event) => match (wanted(&mut event), event) {
                (Some(found), _) => return Ok(found),
                (None, Event::Failed { failure, .. } | Event::RegistrationFailed { failure, .. }) => {
                    return Err(Failure::negative(format!("{} {}", failure.status(), failure.reason())));
                }
                (None, Event::NoMedia { why, .. }) => return Err(Failure::negative(format!("no sound: {why}"))),
                (None, _) => {}
            },
            Err(RecvTimeoutError::Timeout) => return Err(Failure::negative(STILL)),
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::negative("a phone has failed (see above)")),
        }
    }
}

/// Says how well each end heard the other.
fn report(heard: [Heard; 2], speech: &[Vec<i16>; 2], console: &Console) -> Outcome {
    let mut all_ok = true;
    let mut ends = Vec::new();
    for (end, Heard { report, recording }) in heard.iter().enumerate() {
        let (user, other) = (SPEECH[end].0, SPEECH[1 - end].0);
        let said: Vec<i16> = speech[1 - end].iter().copied().cycle().take(recording.len()).collect();
        let alike = likeness(&said, recording);
        let mos = report.mos.unwrap_or(1.0);
        let ok = mos >= MOS_MIN && report.lost == 0 && alike >= SAME_CORRELATION;
        all_ok &= ok;
        console.say(format!(
            "\n{user} heard {other}: {} MOS {mos:.2}, loss {:.1} %, jitter {:.2} ms, {:.1} s heard, {:.1} % like what was said",
            if ok { "well," } else { "badly," },
            report.loss_percent,
            report.jitter_ms,
            report.seconds_heard,
            alike * 100.0,
        ));
        let mut value = json!({
            "user": user,
            "mos": mos,
            "loss": report.loss_percent,
            "lost": report.lost,
            "late": report.late,
            "jitter_ms": report.jitter_ms,
            "similarity": alike,
            "seconds_heard": report.seconds_heard,
        });
        ends.push(value.clone());
        value["event"] = json!("heard");
        console.event(&value);
    }
    console.event(&json!({"event": "result", "ok": all_ok, "ends": ends}));
    console.say(if all_ok { "\nBoth heard each other. Now your own: run `ringback`" } else { "\nThat was not good." });
    Ok(if all_ok { Exit::Done } else { Exit::Negative })
}
