//! What an operator does while people are talking: reloading, stopping, listing, hanging up, asking why a call failed, watching.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::stage::{CALLER, CAROL};
use super::{Needs, Row, World};
use crate::peers::baresip::{Account, Answer, Baresip};
use crate::peers::raw::UdpPeer;
use crate::peers::ringback::{self, Setup};
use crate::peers::sip::{self, Text};
use crate::peers::sipp::{self, End, Script};
use crate::peers::tls::Client;
use crate::peers::{PASSWORD, USERS, http};
use crate::process::{Process, eventually, tail};

pub(super) const SCENARIOS: &[Row] = &[
    ("sighup_drops_no_call_and_no_connection", Needs::Ringback, reloaded),
    ("sigterm_lets_calls_end_and_takes_no_new_ones", Needs::Ringback, drained),
    ("sigterm_waits_no_longer_than_it_says", Needs::Ringback, drained_in_vain),
    ("kamailio_phones_keep_their_passwords", Needs::Ringback, from_kamailio),
    ("asterisk_phones_keep_their_passwords", Needs::Ringback, from_asterisk),
    ("calls_are_listed_and_hung_up", Needs::Ringback, listed_and_hung_up),
    ("calls_show_explains_an_unreachable_contact", Needs::Ringback, unreachable_contact),
    ("metrics_are_scraped_during_load", Needs::Ringback, scraped),
];

const SOON: Duration = Duration::from_secs(15);
const HTTP_PORT: u16 = 8088;
const TLS_PORT: u16 = 5061;
const DRAIN_S: u64 = 3;

/// Runs one of our commands about this scenario's exchange; its lines of JSON.
fn ours(world: &World, words: &[&str]) -> Result<Vec<Value>> {
    let file = world.scope.dir().join("ringback.toml");
    let mut command = ringback::command(words)?;
    command.args(["--json", "--config"]).arg(file);
    let (code, process) = world.scope.run("command", &command, SOON)?;
    ensure!(code == 0, "ringback {} ended with {code}\n{}", words.join(" "), process.output());
    let output = process.stdout();
    output.lines().map(|line| serde_json::from_str(line).with_context(|| format!("it printed {line}"))).collect()
}

/// A call of somebody elsewhere, at `ip`, to one of the users.
fn invite(world: &World, user: &str, ip: &str) -> String {
    let exchange = world.exchange_ip();
    format!(
        "INVITE sip:{user}@{exchange} SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:5060;branch=z9hG4bKinvite;rport\r\nMax-Forwards: 70\r\n\
         From: <sip:x@{ip}>;tag=1\r\nTo: <sip:{user}@{exchange}>\r\nCall-ID: invite@{ip}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:x@{ip}>\r\nContent-Length: 0\r\n\r\n"
    )
}

fn phone(world: &World, user: &str, host: u8, transport: &str, answer: Answer) -> Result<Baresip> {
    let (ip, exchange) = (world.scope.ip(host), world.exchange_ip());
    let account = Account { user, ip: &ip, exchange: Some(&exchange), transport, answer, tone_hz: 440 };
    Baresip::start(&world.scope, &account)
}

/// A certificate for the exchange's address that vouches for itself, and its key.
fn certificate(world: &World, name: &str) -> Result<(PathBuf, PathBuf)> {
    let (certificate, key) =
        (world.scope.dir().join(format!("{name}.pem")), world.scope.dir().join(format!("{name}.key")));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    command.args(["-subj", &format!("/CN={name}"), "-addext", &format!("subjectAltName=IP:{}", world.exchange_ip())]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    command.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    let (code, process) = world.scope.run("openssl", &command, SOON)?;
    ensure!(code == 0, "openssl ended with {code}\n{}", process.output());
    Ok((certificate, key))
}

/// Two phones talk over TLS, a third connection idles; after SIGHUP they go on, a new account may register, and new connections are shown
/// the new certificate.
fn reloaded(world: &World) -> Result<()> {
    let ip = world.exchange_ip();
    let ((first, first_key), (second, second_key)) = (certificate(world, "first")?, certificate(world, "second")?);
    let setup = |certificate: &Path, key: &Path, more: &[&str]| {
        let tls = format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", certificate.display(), key.display());
        let users = USERS.iter().chain(more).map(|name| (*name).to_owned()).collect();
        Setup { listen: format!("tls = [\"{ip}:{TLS_PORT}\"]\n"), more: tls, users, ..Setup::on(&ip) }
    };
    let mut exchange = ringback::start(&world.scope, &setup(&first, &first_key, &[]))?;
    let mut idle = Client::new(&ip, TLS_PORT, &first)?.open(0, &world.scope.ip(5))?;
    let mut bob = phone(world, "bob", 3, "tls", Answer::Automatically)?;
    let mut alice = phone(world, "alice", 2, "tls", Answer::ByHand)?;
    alice.dial(&format!("sip:bob@{ip};transport=tls"))?;
    bob.event("CALL_ESTABLISHED", SOON)?;
    alice.event("CALL_ESTABLISHED", SOON)?;
    world.scope.write("ringback.toml", setup(&second, &second_key, &["eve"]).text(&world.scope))?;
    exchange.signal("HUP");
    exchange.wait_for("\"event\":\"reloaded\"", SOON)?;
    let (eve, eves) = (UdpPeer::bind(&world.scope.ip(6))?, world.scope.ip(6));
    let answer = eve.register(&ip, "eve", &eves, 1, &format!("Contact: <sip:eve@{eves}>\r\n"))?;
    ensure!(answer.starts_with("SIP/2.0 200 "), "eve, who is new, got {answer}");
    let shown = Client::new(&ip, TLS_PORT, &second)?.open(1, &world.scope.ip(5));
    shown.context("a new connection is not shown the new certificate")?;
    crate::peers::tls::options(&mut idle, &ip, 2).context("the idle connection")?;
    alice.wait_heard(3)?;
    bob.wait_heard(3)?;
    alice.hang_up()?;
    bob.event("CALL_CLOSED", SOON)?;
    ensure!(exchange.running()?, "the exchange ended\n{}", tail(&exchange.output()));
    Ok(())
}

/// An exchange with a short wait, and a call of carol's whose ends play these lines; it is under way when this returns.
fn with_a_call(world: &World, drain_s: u64, caller: &str) -> Result<(Process, End, End)> {
    let (ip, carol) = (world.exchange_ip(), world.scope.ip(CAROL));
    let listen = format!("http = [\"{ip}:{HTTP_PORT}\"]\n");
    let more = format!("[serve]\ndrain_s = {drain_s}\n");
    let exchange = ringback::start(&world.scope, &Setup { listen, more, ..Setup::on(&ip) })?;
    sipp::register_ok(&world.scope, &ip, "carol", &carol, &format!("{carol}:5060"))?;
    let lines = "
        < INVITE
        > 200 INVITE
            sdp
        << ACK
        done
        << BYE
        > 200 BYE";
    let script = Script { name: "carol", uri: "", from: "", lines };
    let callee = End::start(&world.scope, &carol, "udp", &script, &["-m", "1"])?;
    let callers = world.scope.ip(CALLER);
    let (uri, from) = (format!("sip:carol@{ip}"), format!("sipp@{callers}"));
    let script = Script { name: "caller", uri: &uri, from: &from, lines: caller };
    let caller = End::start(&world.scope, &callers, "udp", &script, &["-m", "1", &format!("{ip}:5060")])?;
    eventually("a call", SOON, || Ok(callee.file(&world.scope, "logs").contains("played to the end")))?;
    Ok((exchange, callee, caller))
}

/// While a call is under way, SIGTERM: it goes on and ends, nobody else may begin one, and then the exchange ends, before its time is up.
fn drained(world: &World) -> Result<()> {
    let lines = "
        > INVITE
            sdp
        < 100?
        < 200
        >> ACK
        pause 3000
        >> BYE
        < 200";
    let (mut exchange, mut callee, mut caller) = with_a_call(world, 30, lines)?;
    exchange.signal("TERM");
    let ip = world.exchange_ip();
    exchange.wait_for("waiting for 1 call", SOON)?;
    let (status, why) = http::get(&format!("{ip}:{HTTP_PORT}"), "/readyz")?;
    ensure!(status == 503, "/readyz got {status} {why}");
    let (other, others) = (UdpPeer::bind(&world.scope.ip(7))?, world.scope.ip(7));
    let answer = other.answer(&ip, &invite(world, "carol", &others))?;
    let refused = answer.starts_with("SIP/2.0 503 ") && Text::new(&answer).first("Retry-After").is_some();
    ensure!(refused, "a new call got {answer}");
    caller.finish(&world.scope, SOON)?;
    callee.finish(&world.scope, SOON)?;
    let ended = Instant::now();
    exchange.wait_code(0, SOON)?;
    ensure!(ended.elapsed() < Duration::from_secs(5), "it waited {:?} for nobody", ended.elapsed());
    Ok(())
}

/// A call that does not end is not waited for beyond what the configuration says.
fn drained_in_vain(world: &World) -> Result<()> {
    let lines = "
        > INVITE
            sdp
        < 100?
        < 200
        >> ACK
        pause 60000";
    let (mut exchange, _callee, _caller) = with_a_call(world, DRAIN_S, lines)?;
    let asked = Instant::now();
    exchange.signal("TERM");
    exchange.wait_code(0, Duration::from_secs(DRAIN_S) + SOON)?;
    let waited = asked.elapsed().as_secs_f64();
    let wanted = DRAIN_S as f64;
    ensure!(waited > wanted - 1.0 && waited < wanted + 5.0, "it waited {waited:.1} s instead of {DRAIN_S}");
    Ok(())
}

/// The realm of the exchange that was there before: what its phones' HA1 values are good for.
const OLD_REALM: &str = "old.example";

fn ha1(user: &str) -> String {
    sip::hex(&format!("{user}:{OLD_REALM}:{PASSWORD}"))
}

fn from_kamailio(world: &World) -> Result<()> {
    let row = |number: u32, user: &str| {
        let ha1b = sip::hex(&format!("{user}@{OLD_REALM}:{OLD_REALM}:{PASSWORD}"));
        format!("({number},'{user}','{OLD_REALM}','','','{}','{ha1b}')", ha1(user))
    };
    let dump = format!(
        "-- MariaDB dump\nCREATE TABLE `subscriber` (\n  `id` int(10) unsigned NOT NULL AUTO_INCREMENT,\n  `username` varchar(64),\n  \
         `domain` varchar(64),\n  `password` varchar(64),\n  `email_address` varchar(128),\n  `ha1` varchar(128),\n  `ha1b` varchar(128),\n  \
         PRIMARY KEY (`id`)\n);\nINSERT INTO `subscriber` VALUES {},{};\n",
        row(1, "alice"),
        row(2, "bob")
    );
    imported(world, "kamailio", "subscriber.sql", &dump)
}

fn from_asterisk(world: &World) -> Result<()> {
    let auth = |user: &str| {
        let ha1 = ha1(user);
        format!(
            "[{user}]\ntype=endpoint\nauth={user}-auth\naors={user}\n\n[{user}-auth]\ntype=auth\nauth_type=md5\nusername={user}\n\
             realm={OLD_REALM}\nmd5_cred={ha1}\n\n"
        )
    };
    imported(world, "asterisk", "pjsip.conf", &(auth("alice") + &auth("bob")))
}

/// Alice and bob are taken over while the exchange runs, and call each other with what their phones always knew.
fn imported(world: &World, from: &str, name: &str, content: &str) -> Result<()> {
    let ip = world.exchange_ip();
    let more = format!("[auth]\nrealm = \"{OLD_REALM}\"\n");
    let _exchange = ringback::start(&world.scope, &Setup { more, users: vec!["carol".into()], ..Setup::on(&ip) })?;
    let early = UdpPeer::bind(&world.scope.ip(9))?.register(&ip, "alice", &world.scope.ip(9), 1, "")?;
    ensure!(early.starts_with("SIP/2.0 403 "), "before she is there, alice got {early}");
    let file = world.scope.write(name, content)?;
    ours(world, &["user", "import", "--from", from, &file.to_string_lossy()])?;
    let mut bob = phone(world, "bob", 3, "udp", Answer::Automatically)?;
    let mut alice = phone(world, "alice", 2, "udp", Answer::ByHand)?;
    alice.dial(&format!("sip:bob@{ip}"))?;
    bob.event("CALL_ESTABLISHED", SOON)?;
    alice.event("CALL_ESTABLISHED", SOON)?;
    alice.hang_up()?;
    bob.event("CALL_CLOSED", SOON).map(drop)
}

fn listed_and_hung_up(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let mut bob = phone(world, "bob", 3, "udp", Answer::Automatically)?;
    let mut alice = phone(world, "alice", 2, "udp", Answer::ByHand)?;
    alice.dial(&format!("sip:bob@{}", world.exchange_ip()))?;
    alice.event("CALL_ESTABLISHED", SOON)?;
    bob.event("CALL_ESTABLISHED", SOON)?;
    alice.wait_heard(1)?;
    let calls = ours(world, &["calls", "ls"])?;
    let of_both = |call: &&Value| call.to_string().contains("alice") && call.to_string().contains("bob");
    let call = calls.iter().find(of_both).with_context(|| format!("calls ls: {calls:?}"))?;
    let id = call["id"].as_str().with_context(|| format!("no id in {call}"))?;
    ours(world, &["calls", "show", id])?;
    ours(world, &["calls", "hangup", id])?;
    alice.event("CALL_CLOSED", SOON)?;
    bob.event("CALL_CLOSED", SOON)?;
    eventually("the end of a call", SOON, || Ok(ours(world, &["calls", "ls"])?.is_empty()))
}

/// Carol answers with a Contact that leads nowhere, the ACK does not come, and she gives up: the operator is told why.
fn unreachable_contact(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let (ip, carols, callers) = (world.exchange_ip(), world.scope.ip(CAROL), world.scope.ip(CALLER));
    let (carol, caller) = (UdpPeer::bind(&carols)?, UdpPeer::bind(&callers)?);
    carol.register(&ip, "carol", &carols, 1, &format!("Contact: <sip:carol@{carols}>\r\n"))?;
    caller.send(&ip, invite(world, "carol", &callers).as_bytes())?;
    let arrived = carol.wait_for("INVITE", SOON, |text| text.starts_with("INVITE "))?;
    let arrived = Text::new(&arrived);
    let contact = "Contact: <sip:carol@10.99.99.99:5060>\r\n";
    // As often as a phone repeats it that hears no ACK (RFC 3261 section 13.3.1.4), without the time in between.
    for status in ["180 Ringing"].into_iter().chain(["200 OK"; 6]) {
        carol.send(&ip, arrived.answer(status, "b", contact).as_bytes())?;
    }
    let answer = caller.wait_for("200", SOON, |text| text.starts_with("SIP/2.0 200 "))?;
    let answer = Text::new(&answer);
    let routes: Vec<String> = arrived.all("Record-Route").map(str::to_owned).collect();
    let (from, to) = (answer.first("To").unwrap_or_default(), answer.first("From").unwrap_or_default());
    let id = arrived.call_id();
    let bye = sip::in_dialog("BYE", &format!("{carols}:5060"), arrived.contact_uri(), &routes, (from, to), id, 1);
    carol.send(&ip, &bye)?;
    let bye = caller.wait_for("BYE", SOON, |text| text.starts_with("BYE "))?;
    caller.send(&ip, Text::new(&bye).answer("200 OK", "", "").as_bytes())?;
    carol.wait_for("200 to the BYE", SOON, |text| text.starts_with("SIP/2.0 200 "))?;
    let shown = ours(world, &["calls", "show", id])?;
    let text = serde_json::to_string(&shown)?;
    let told = text.contains("ACK never arrived") && text.contains("10.99.99.99");
    ensure!(told, "it is not explained: {text}");
    for step in ["INVITE", "180", "200", "BYE"] {
        ensure!(text.contains(step), "{step} is not on the ladder: {text}");
    }
    Ok(())
}

/// Prometheus asks again and again while calls are made: it is always answered, in its own language, and the calls do not suffer.
fn scraped(world: &World) -> Result<()> {
    let ip = world.exchange_ip();
    let listen = format!("http = [\"{ip}:{HTTP_PORT}\"]\n");
    let _exchange = ringback::start(&world.scope, &Setup { listen, ..Setup::on(&ip) })?;
    let mut command =
        ringback::command(&["load", &format!("{ip}:5060"), "--json", "-r", "300", "-m", "1200", "-d", "100"])?;
    command.args(["--as", &format!("carol:{PASSWORD}@{ip}"), "--bind", &world.scope.ip(2)]);
    let mut load = world.scope.start("load", &command)?;
    let (mut pages, mut slowest) = (Vec::new(), Duration::ZERO);
    while load.running()? {
        let asked = Instant::now();
        let (status, page) = http::get(&format!("{ip}:{HTTP_PORT}"), "/metrics")?;
        ensure!(status == 200, "/metrics got {status}");
        slowest = slowest.max(asked.elapsed());
        pages.push(page);
    }
    load.wait_code(0, SOON)?;
    let (first, last) = (pages.first().context("no page")?, pages.last().context("no page")?);
    for line in last.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let number = line.rsplit(' ').next().unwrap_or_default();
        ensure!(number.parse::<f64>().is_ok(), "a line without a number: {line}");
    }
    let sum = |page: &str| -> f64 {
        let counts = page.lines().filter(|line| !line.starts_with('#') && line.contains("_total"));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    println!("  ({} pages, the slowest took {slowest:.0?})", pages.len());
    ensure!(pages.len() > 20, "only {} pages in four seconds", pages.len());
    ensure!(slowest < Duration::from_secs(1), "a page took {slowest:?}");
    ensure!(sum(last) > sum(first), "nothing was counted:\n{last}");
    Ok(())
}
