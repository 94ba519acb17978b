//! TLS with the exchange's own authority: calls, and what strangers are shown. openssl and our own telephone insist on the
//! certificate; Debian's baresip takes any.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Needs, Row, World};
use crate::peers::PASSWORD;
use crate::peers::baresip::{Account, Answer, Baresip};
use crate::peers::raw::UdpPeer;
use crate::peers::ringback::{self, Setup};
use crate::peers::sip;
use crate::peers::tls::Client;
use crate::process::Process;
use crate::tone;

pub(super) const SCENARIOS: &[Row] = &[
    ("two_baresips_call_over_tls", Needs::Ringback, two_baresips),
    ("ringback_calls_baresip_over_tls", Needs::Ringback, ringback_calls),
    ("baresip_calls_ringback_over_tls", Needs::Ringback, baresip_calls),
    ("ringback_believes_no_other_authority", Needs::Ringback, another_authority),
    ("tls_only_listens_to_nothing_else", Needs::Ringback, tls_only),
    ("openssl_is_shown_a_chain_for_the_right_names", Needs::Ringback, chain),
];

const SOON: Duration = Duration::from_secs(15);
const TALK: Duration = Duration::from_secs(25);
const HEARD_SECONDS: f64 = 2.5;
const DOMAIN: &str = "voip.test";

/// An exchange with TLS on 5061 that is responsible for its own address; its authority's certificate.
fn start(world: &World) -> Result<(Process, PathBuf)> {
    let ip = world.exchange_ip();
    let setup = Setup { listen: format!("tls = [\"{ip}:5061\"]\n"), ..Setup::on(&ip) };
    let exchange = ringback::start(&world.scope, &setup)?;
    let authority = setup.data(&world.scope).join("tls/ca.pem");
    ensure!(authority.exists(), "there is no {}\n{}", authority.display(), exchange.output());
    Ok((exchange, authority))
}

fn baresip(world: &World, user: &str, host: u8, answer: Answer, hz: u32, authority: &Path) -> Result<Baresip> {
    let (ip, exchange) = (world.scope.ip(host), world.exchange_ip());
    let account = Account { user, ip: &ip, exchange: Some(&exchange), transport: "tls", answer, tone_hz: hz };
    Baresip::start_trusting(&world.scope, &account, Some(authority))
}

/// With `tls_only`, whoever comes without is not answered, wherever he knocks.
fn tls_only(world: &World) -> Result<()> {
    let ip = world.exchange_ip();
    let listen = format!("tls_only = true\ntls = [\"{ip}:5061\"]\nws = [\"{ip}:8080\"]\n");
    let setup = Setup { listen, ..Setup::on(&ip) };
    let exchange = ringback::start(&world.scope, &setup)?;
    let authority = setup.data(&world.scope).join("tls/ca.pem");
    drop(Client::new(&ip, 5061, &authority)?.open(0, &world.scope.ip(5))?);
    for port in [5060, 8080] {
        let connected = TcpStream::connect((ip.as_str(), port));
        ensure!(connected.is_err(), "there is somebody at port {port}\n{}", exchange.output());
    }
    let (peer, peers) = (UdpPeer::bind(&world.scope.ip(6))?, world.scope.ip(6));
    peer.be_patient(Duration::from_millis(300))?;
    let answer = peer.answer(&ip, &sip::register(&ip, "alice", &peers, 1, ""));
    ensure!(answer.is_err(), "over UDP, somebody said {answer:?}");
    Ok(())
}

fn two_baresips(world: &World) -> Result<()> {
    let (_exchange, authority) = start(world)?;
    let mut bob = baresip(world, "bob", 3, Answer::Automatically, 880, &authority)?;
    let mut alice = baresip(world, "alice", 2, Answer::ByHand, 440, &authority)?;
    alice.dial(&format!("sip:bob@{};transport=tls", world.exchange_ip()))?;
    alice.event("CALL_ESTABLISHED", SOON)?;
    bob.event("CALL_ESTABLISHED", SOON)?;
    alice.wait_heard(3)?;
    bob.wait_heard(3)?;
    alice.hang_up()?;
    bob.event("CALL_CLOSED", SOON)?;
    bob.expect_heard(440, HEARD_SECONDS)?;
    alice.expect_heard(880, HEARD_SECONDS)?;
    ensure!(!bob.trace().contains("UDP ") && !bob.trace().contains("TCP "), "bob's messages did not go over TLS only");
    Ok(())
}

/// `ringback call` or `answer` as dave, over TLS.
fn ours(world: &World, command: &str, authority: &Path, more: &[String]) -> Result<Process> {
    let account = format!("dave:{PASSWORD}@{}", world.exchange_ip());
    let (authority, bind) = (authority.display().to_string(), format!("{}:0", world.scope.ip(4)));
    let mut command = ringback::command(&[command, "--json", "--transport", "tls", "--as", &account])?;
    command.args(["--bind", &bind, "--ca", &authority]).args(["--play", "tone:880"]).args(more);
    world.scope.start("dave", &command)
}

fn ringback_calls(world: &World) -> Result<()> {
    let (_exchange, authority) = start(world)?;
    let mut alice = baresip(world, "alice", 2, Answer::Automatically, 440, &authority)?;
    let record = world.scope.dir().join("dave.wav");
    let more =
        ["--duration", "4", "--record", &record.to_string_lossy(), &format!("sip:alice@{}", world.exchange_ip())];
    let mut dave = ours(world, "call", &authority, &more.map(String::from))?;
    alice.event("CALL_ESTABLISHED", SOON)?;
    dave.wait_code(0, TALK)?;
    alice.event("CALL_CLOSED", SOON)?;
    alice.expect_heard(880, HEARD_SECONDS)?;
    tone::expect_heard(&record, 440, HEARD_SECONDS)
}

fn baresip_calls(world: &World) -> Result<()> {
    let (_exchange, authority) = start(world)?;
    let record = world.scope.dir().join("dave.wav");
    let more = ["--calls", "1", "--record", &record.to_string_lossy()].map(String::from);
    let mut dave = ours(world, "answer", &authority, &more)?;
    dave.wait_for("\"event\":\"registered\"", SOON)?;
    let mut alice = baresip(world, "alice", 2, Answer::ByHand, 440, &authority)?;
    alice.dial(&format!("sip:dave@{};transport=tls", world.exchange_ip()))?;
    alice.event("CALL_ESTABLISHED", SOON)?;
    alice.wait_heard(3)?;
    alice.hang_up()?;
    dave.wait_code(0, SOON)?;
    alice.expect_heard(880, HEARD_SECONDS)?;
    tone::expect_heard(&record, 440, HEARD_SECONDS)
}

/// The certificate is good for the exchange's domain, by its authority, and for nothing else (RFC 5922 section 4).
fn chain(world: &World) -> Result<()> {
    let ip = world.exchange_ip();
    let setup = Setup { domain: DOMAIN, listen: format!("tls = [\"{ip}:5061\"]\n"), ..Setup::on(&ip) };
    let _exchange = ringback::start(&world.scope, &setup)?;
    let authority = setup.data(&world.scope).join("tls/ca.pem");
    let check = |name: &str, verify: &[&str], trusts: bool, good: bool| -> Result<()> {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &format!("{ip}:5061"), "-servername", DOMAIN, "-showcerts"]);
        command.arg("-verify_return_error").args(verify);
        if trusts {
            command.arg("-CAfile").arg(&authority);
        }
        let (code, process) = world.scope.run(name, &command, SOON)?;
        let said = process.output();
        let verified = code == 0 && said.contains("Verify return code: 0 (ok)");
        ensure!(
            verified == good,
            "{verify:?} should {}verify, and openssl said\n{said}",
            if good { "" } else { "not " }
        );
        Ok(())
    };
    check("domain", &["-verify_hostname", DOMAIN], true, true)?;
    check("address", &["-verify_ip", &ip], true, false)?;
    check("stranger", &["-verify_hostname", "else.test"], true, false)?;
    check("no-authority", &["-verify_hostname", DOMAIN], false, false)
}

/// Our own telephone takes no other authority's word for an exchange.
fn another_authority(world: &World) -> Result<()> {
    let (_exchange, ours) = start(world)?;
    let ip = world.scope.ip(9);
    let setup = Setup { name: "other", listen: format!("tls = [\"{ip}:5061\"]\n"), ..Setup::on(&ip) };
    let _other = ringback::start(&world.scope, &setup)?;
    let theirs = setup.data(&world.scope).join("tls/ca.pem");
    let account = format!("dave:{PASSWORD}@{}", world.exchange_ip());
    for (name, authority, good) in [("ours", &ours, true), ("theirs", &theirs, false)] {
        let mut command = ringback::command(&["register", "--json", "--once", "--transport", "tls", "--as", &account])?;
        command.arg("--ca").arg(authority);
        let (code, process) = world.scope.run(name, &command, Duration::from_secs(45))?;
        ensure!((code == 0) == good, "with {name}, register exited with {code}\n{}", process.output());
    }
    Ok(())
}
