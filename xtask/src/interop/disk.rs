//! A disk that is full, fails, cannot be written or is slow: calls and what is known go on, what is new is refused for the moment,
//! the operator is told, and all is well again by itself.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::stage::CAROL;
use super::{Needs, Row, World};
use crate::peers::http;
use crate::peers::raw::UdpPeer;
use crate::peers::ringback::{self, Setup};
use crate::peers::sip::Text;
use crate::peers::sipp::{self, Outcome};
use crate::peers::strace::{Strace, process_of};
use crate::process::{Process, eventually, tail};

pub(super) const SCENARIOS: &[Row] = &[
    ("full_disk_refuses_what_is_new_and_heals", Needs::Ringback, full),
    ("failing_disk_refuses_what_is_new_and_heals", Needs::Ringback, |world| injected(world, "EIO", "fdatasync,fsync")),
    ("read_only_disk_refuses_what_is_new_and_heals", Needs::Ringback, |world| {
        injected(world, "EROFS", "pwrite64,write")
    }),
    ("slow_disk_delays_only_what_is_new", Needs::Ringback, slow),
    ("damaged_database_is_refused_in_clear_words", Needs::Ringback, damaged),
];

const HTTP_PORT: u16 = 8088;
const SOON: Duration = Duration::from_secs(10);
/// It tries again by itself at least so often.
const HEALS: Duration = Duration::from_secs(20);
/// The file system for the data: little, but enough for an exchange that does nothing.
const SMALL: &str = "size=4m";
const SLOW_SYNC_US: u64 = 3_000_000;
/// Nobody who calls is to notice.
const CALLS_MAX: Duration = Duration::from_secs(6);

/// An exchange with a phone that is registered, one that is not, and a page for the operator.
struct Stage<'a> {
    world: &'a World,
    exchange: Process,
    bob: UdpPeer,
    number: u32,
}

impl<'a> Stage<'a> {
    fn set(world: &'a World, start: impl Fn(&Setup<'_>) -> Result<Process>) -> Result<Self> {
        let ip = world.exchange_ip();
        let listen = format!("http = [\"{ip}:{HTTP_PORT}\"]\n");
        let exchange = start(&Setup { listen, ..Setup::on(&ip) })?;
        let carol = world.scope.ip(CAROL);
        sipp::register_ok(&world.scope, &ip, "carol", &carol, &format!("{carol}:5060"))?;
        let bob = UdpPeer::bind(&world.scope.ip(4))?;
        let mut stage = Self { world, exchange, bob, number: 0 };
        stage.expect_ready(200)?;
        ensure!(stage.register()?.starts_with("SIP/2.0 200 "), "bob cannot register while all is well");
        Ok(stage)
    }

    /// Bob registers a contact that nobody has seen before: the answer.
    fn register(&mut self) -> Result<String> {
        self.number += 1;
        let (number, ip) = (self.number, self.world.scope.ip(4));
        // (One takes the place of the other.)
        let contacts =
            format!("Contact: <sip:bob-{number}@{ip}>\r\nContact: <sip:bob-{}@{ip}>;expires=0\r\n", number - 1);
        self.bob.register(&self.world.exchange_ip(), "bob", &ip, number, &contacts)
    }

    /// What the operator's page says.
    fn readyz(&self) -> Result<(u16, String)> {
        http::get(&format!("{}:{HTTP_PORT}", self.world.exchange_ip()), "/readyz")
    }

    fn expect_ready(&mut self, wanted: u16) -> Result<String> {
        let mut said = (0, String::new());
        let outcome = eventually(&format!("{wanted} on /readyz"), HEALS, || {
            said = self.readyz()?;
            Ok(said.0 == wanted)
        });
        outcome.with_context(|| format!("/readyz: {said:?}; the exchange said\n{}", tail(&self.exchange.output())))?;
        Ok(said.1)
    }

    /// Carol, who was registered before, is called; and she may ask what is known of her.
    fn expect_calls(&self) -> Result<()> {
        let (scope, exchange, carol) = (&self.world.scope, self.world.exchange_ip(), self.world.scope.ip(CAROL));
        let callee = sipp::start_callee(scope, "callee", &carol, &[])?;
        let mut caller = sipp::command("caller", &scope.ip(2));
        caller.arg(format!("{exchange}:5060")).args(["-s", "carol", "-m", "10", "-r", "10"]);
        let started = Instant::now();
        Outcome::of(scope, "caller", &caller, Duration::from_secs(30))?.expect_all(10)?;
        ensure!(started.elapsed() < CALLS_MAX, "ten calls took {:?}", started.elapsed());
        drop(callee);
        let answer = UdpPeer::bind(&carol)?.register(&exchange, "carol", &carol, 1000, "")?;
        ensure!(answer.starts_with("SIP/2.0 200 ") && answer.contains(&carol), "carol's query got {answer}");
        Ok(())
    }

    /// While the disk does not do what it should.
    fn expect_refusals(&mut self) -> Result<String> {
        let mut answer = String::new();
        let refused = eventually("a 503 to a REGISTER", SOON, || {
            answer = self.register()?;
            Ok(answer.starts_with("SIP/2.0 503 "))
        });
        refused.with_context(|| format!("the last answer was {answer}"))?;
        ensure!(Text::new(&answer).first("Retry-After").is_some(), "no Retry-After in {answer}");
        let why = self.expect_ready(503)?;
        self.expect_calls()?;
        let answer = self.register()?;
        ensure!(answer.starts_with("SIP/2.0 503 "), "the disk is as bad as before, and a REGISTER got {answer}");
        Ok(why)
    }

    /// When it does again.
    fn expect_healed(&mut self) -> Result<()> {
        self.expect_ready(200)?;
        let answer = self.register()?;
        ensure!(answer.starts_with("SIP/2.0 200 "), "all is well again, and a REGISTER got {answer}");
        self.expect_calls()?;
        ensure!(self.exchange.running()?, "the exchange ended");
        Ok(())
    }
}

fn start_here(world: &World) -> impl Fn(&Setup<'_>) -> Result<Process> {
    |setup| ringback::start(&world.scope, setup)
}

/// The data folder is a small file system of the exchange's own, which somebody else fills.
fn full(world: &World) -> Result<()> {
    let data = world.scope.dir().join("data");
    let mut stage = Stage::set(world, |setup| {
        fs::create_dir_all(&data)?;
        let file = world.scope.write("ringback.toml", setup.text(&world.scope))?;
        let mut command = Command::new("unshare");
        let script = format!("mount -t tmpfs -o {SMALL},mode=700 none {} && exec \"$@\"", data.display());
        command.args(["--mount", "sh", "-c", &script, "sh"]).arg(ringback::binary()?);
        command.args(["serve", "--json", "--config"]).arg(file);
        let mut process = world.scope.start("ringback", &command)?;
        ringback::wait_ready(&mut process)?;
        Ok(process)
    })?;
    // The same folder, as the exchange sees it.
    let id = process_of(&stage.exchange, "ringback")?;
    let seen = std::path::PathBuf::from(format!("/proc/{id}/root{}", data.display()));
    ensure!(seen.join("ringback.db").exists(), "there is no {}", seen.join("ringback.db").display());
    let filler = seen.join("filler");
    let written = fs::write(&filler, vec![0; 8 << 20]);
    ensure!(written.is_err(), "8 MB fit into {SMALL}");
    let why = stage.expect_refusals()?;
    ensure!(why.contains("full") || why.contains("space"), "/readyz does not say why: {why}");
    fs::remove_file(&filler)?;
    stage.expect_healed()
}

/// The kernel answers these calls about the database with an error.
fn injected(world: &World, error: &str, calls: &str) -> Result<()> {
    let mut stage = Stage::set(world, start_here(world))?;
    let data = Setup::on(&world.exchange_ip()).data(&world.scope);
    let (inject, trace) = (format!("inject={calls}:error={error}"), format!("trace={calls}"));
    let mut arguments = vec!["-e".to_owned(), trace, "-e".to_owned(), inject];
    for name in ["ringback.db", "ringback.db-wal"] {
        arguments.extend(["-P".to_owned(), data.join(name).display().to_string()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let strace = Strace::attach(&world.scope, &stage.exchange, &arguments)?;
    let why = stage.expect_refusals();
    let seen = strace.detach()?;
    let why = why.with_context(|| format!("strace saw\n{}", tail(&seen)))?;
    ensure!(seen.contains("INJECTED"), "nothing of the kind was called");
    ensure!(why.len() > 10, "/readyz does not say why: {why}");
    stage.expect_healed()
}

/// A sync takes seconds: what waits for it waits or is refused, and nothing else does.
fn slow(world: &World) -> Result<()> {
    let mut stage = Stage::set(world, start_here(world))?;
    stage.bob.be_patient(Duration::from_micros(3 * SLOW_SYNC_US))?;
    let inject = format!("inject=fdatasync,fsync:delay_enter={SLOW_SYNC_US}");
    let strace = Strace::attach(&world.scope, &stage.exchange, &["-e", "trace=fdatasync,fsync", "-e", &inject])?;
    let asked = Instant::now();
    let answer = stage.register()?;
    let waited = asked.elapsed();
    let at_once = answer.starts_with("SIP/2.0 200 ") && waited < Duration::from_micros(SLOW_SYNC_US);
    ensure!(!at_once, "a REGISTER got its 200 after {waited:?}, before its sync");
    let refused = answer.starts_with("SIP/2.0 503 ") && Text::new(&answer).first("Retry-After").is_some();
    ensure!(refused || answer.starts_with("SIP/2.0 200 "), "a REGISTER got {answer}");
    // While another one is under way.
    let other = UdpPeer::bind(&world.scope.ip(5))?;
    other.be_patient(Duration::from_micros(3 * SLOW_SYNC_US))?;
    let exchange = world.exchange_ip();
    std::thread::scope(|threads| -> Result<()> {
        let ip = world.scope.ip(5);
        let contact = format!("Contact: <sip:dave@{ip}>\r\n");
        let under_way = threads.spawn(move || other.register(&exchange, "dave", &ip, 1, &contact));
        stage.expect_calls()?;
        under_way.join().map_err(|_| anyhow::anyhow!("a phone panicked"))?.map(drop)
    })?;
    strace.detach()?;
    stage.expect_healed()
}

/// Half of the database is gone, or something else stands in it: the exchange says so and does not begin anew.
fn damaged(world: &World) -> Result<()> {
    let stage = Stage::set(world, start_here(world))?;
    let Stage { mut exchange, bob, .. } = stage;
    drop(bob);
    exchange.signal("TERM");
    exchange.wait_code(0, Duration::from_secs(45))?;
    let data = Setup::on(&world.exchange_ip()).data(&world.scope);
    let path = data.join("ringback.db");
    let whole = fs::read(&path)?;
    ensure!(whole.len() > 8192, "the database has {} bytes", whole.len());
    let mut scribbled = whole.clone();
    for byte in scribbled.iter_mut().skip(4096).step_by(7) {
        *byte ^= 0x5a;
    }
    let mut headless = whole.clone();
    headless[..100].fill(0);
    let damages = [
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("headless", headless),
        ("scribbled", scribbled),
    ];
    for (how, bytes) in damages {
        for file in fs::read_dir(&data)?.flatten() {
            if file.file_name().to_string_lossy().starts_with("ringback.db-") {
                fs::remove_file(file.path())?;
            }
        }
        fs::write(&path, &bytes)?;
        let file = world.scope.dir().join("ringback.toml");
        let command = ringback::command(&["serve", "--json", "--config", &file.to_string_lossy()])?;
        let (code, process) =
            world.scope.run(how, &command, SOON).with_context(|| format!("with the database {how}"))?;
        let said = process.output();
        let clear = said.contains("ringback.db") && !said.contains("panicked");
        ensure!(code == 2 && clear, "with the database {how}, it ended with {code} and said\n{said}");
        ensure!(fs::read(&path)? == bytes, "with the database {how}, it was written over");
    }
    fs::write(&path, &whole)?;
    let exchange = ringback::start(&world.scope, &Setup::on(&world.exchange_ip()))?;
    drop(exchange);
    Ok(())
}
