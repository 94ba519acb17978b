//! What scenarios over a network share: the exchange at one end of a cable, its phones and those who attack it at the other.

use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::World;
use crate::netns::Street;
use crate::peers::ringback::{self, Setup};
use crate::peers::sip::{self, Challenge, Text};
use crate::peers::{PASSWORD, USERS};
use crate::process::{Process, Scope, eventually, tail};

/// The exchange's address, and that of the phones.
pub(super) const EXCHANGE: u8 = 1;
pub(super) const PHONES: u8 = 2;
const ANSWER: Duration = Duration::from_millis(400);
const SOON: Duration = Duration::from_secs(10);

/// An exchange on a street.
pub(super) struct Stage {
    pub(super) exchange: Process,
    /// Where what is not the exchange runs.
    pub(super) others: Scope,
    inside: Scope,
    configuration: String,
    pub(super) street: Street,
}

impl Stage {
    /// An exchange as it comes, with these accounts beside the usual ones.
    pub(super) fn set(world: &World, users: &[&str]) -> Result<Self> {
        Self::set_with(world, users, "")
    }

    /// The same with further sections in its configuration.
    pub(super) fn set_with(world: &World, users: &[&str], more: &str) -> Result<Self> {
        let index = world.scope.index();
        let street = Street::new(index)?;
        street.settle(PHONES)?;
        let inside = Scope::new(world.scope.dir().join("exchange"), index)?.inside(street.exchange.name());
        let others = Scope::new(world.scope.dir().join("others"), index)?.inside(street.others.name());
        let ip = Street::ip(EXCHANGE);
        let users = USERS.into_iter().chain(users.iter().copied()).map(String::from).collect();
        let setup = Setup { users, more: more.to_owned(), ..Setup::on(&ip) };
        let configuration = setup.text(&inside);
        let exchange = ringback::serve(&inside, &configuration, None)?;
        Ok(Self { exchange, others, inside, configuration, street })
    }

    /// The exchange is killed, and comes back.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.exchange.kill();
        self.exchange = ringback::serve(&self.inside, &self.configuration, None)?;
        Ok(())
    }

    /// Whether the exchange answers somebody at this address.
    pub(super) fn answers(&self, ip: &str, number: u32) -> Result<bool> {
        Ok(self.ask(ip, &options(ip, number))?.starts_with("SIP/2.0 200 "))
    }

    /// One of our commands, about this exchange.
    pub(super) fn ringback(&self, words: &[&str]) -> Result<(i32, String)> {
        let file = self.inside.dir().join("ringback.toml");
        let mut command = ringback::command(words)?;
        command.args(["--json", "--config"]).arg(file);
        let (code, process) = self.inside.run("command", &command, SOON)?;
        Ok((code, process.output()))
    }

    /// Carol registers and is called so many times, both from the phones' address; how many of the calls went as they should, and what
    /// became of the others.
    pub(super) fn calls(&self, rate: u32, total: u32) -> Result<(u64, Value)> {
        let process = &mut self.start_calls("calls", rate, total)?;
        Self::called(process)
    }

    /// Begins that.
    pub(super) fn start_calls(&self, name: &str, rate: u32, total: u32) -> Result<Process> {
        let exchange = Street::ip(EXCHANGE);
        let mut command: Command = ringback::command(&["load", &exchange, "--json", "-d", "200"])?;
        command.args(["--as", &format!("carol:{PASSWORD}@{exchange}"), "--bind", &Street::ip(PHONES)]);
        command.args(["-r", &rate.to_string(), "-m", &total.to_string()]);
        self.others.start(name, &command)
    }

    /// Waits for its end.
    pub(super) fn called(process: &mut Process) -> Result<(u64, Value)> {
        process.wait(Duration::from_secs(80))?;
        let output = process.stdout();
        let report = output.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
        let report = report.with_context(|| format!("ringback load said\n{}", tail(&process.output())))?;
        Ok((report["ok"].as_u64().unwrap_or(0), report))
    }

    /// The phones are served as if nothing had happened.
    pub(super) fn expect_calls(&self) -> Result<()> {
        let (ok, report) = self.calls(20, 20)?;
        ensure!(ok == 20, "phones are not served: {report}\n{}", tail(&self.exchange.output()));
        Ok(())
    }

    /// This address, and no other, is banned, and gets no answer any more.
    pub(super) fn expect_banned(&self, ip: &str) -> Result<()> {
        let mut listed = String::new();
        let there = eventually("a ban", SOON, || {
            listed = self.ringback(&["ban", "ls"])?.1;
            Ok(listed.contains(ip))
        });
        there.with_context(|| format!("ban ls: {listed}\nthe exchange said\n{}", tail(&self.exchange.output())))?;
        ensure!(listed.lines().count() == 1, "others are banned, too:\n{listed}");
        ensure!(!self.answers(ip, 1)?, "{ip} is banned, and was answered");
        Ok(())
    }

    /// A socket on port 5060 of an address of the others.
    pub(super) fn socket(&self, ip: &str) -> Result<UdpSocket> {
        let mut bound = None;
        // (One that was there before lingers in a process that another thread is just starting.)
        eventually(&format!("UDP port 5060 of {ip}"), SOON, || {
            bound = self.street.others.within(|| Ok(UdpSocket::bind((ip, 5060)).ok()))?;
            Ok(bound.is_some())
        })?;
        let socket = bound.context("bound")?;
        socket.set_read_timeout(Some(ANSWER))?;
        Ok(socket)
    }

    /// Sends one message from this address; its answer, or nothing if there is none.
    pub(super) fn ask(&self, ip: &str, text: &str) -> Result<String> {
        ask(&self.socket(ip)?, text)
    }

    /// A REGISTER with a password; what it got after its challenge.
    pub(super) fn try_password(&self, ip: &str, user: &str, password: &str, number: u32) -> Result<String> {
        let socket = self.socket(ip)?;
        let first = ask(&socket, &register(ip, user, 2 * number, ""))?;
        let Some(challenge) = Challenge::of(&Text::new(&first)) else { return Ok(first) };
        let uri = format!("sip:{}", Street::ip(EXCHANGE));
        let answer = challenge.answer(user, password, "REGISTER", &uri, 1);
        ask(&socket, &register(ip, user, 2 * number + 1, &format!("Authorization: {answer}\r\n")))
    }
}

fn ask(socket: &UdpSocket, text: &str) -> Result<String> {
    socket.send_to(text.as_bytes(), (Street::ip(EXCHANGE).as_str(), 5060))?;
    let mut answer = [0; 8192];
    let len = socket.recv(&mut answer).unwrap_or(0);
    Ok(String::from_utf8_lossy(&answer[..len]).into_owned())
}

/// A REGISTER of `user` from `ip`, one of a kind by its number.
pub(super) fn register(ip: &str, user: &str, number: u32, more: &str) -> String {
    let contact = format!("Contact: <sip:{user}@{ip}>\r\n{more}");
    sip::register(&Street::ip(EXCHANGE), user, ip, number, &contact)
}

fn options(ip: &str, number: u32) -> String {
    let exchange = Street::ip(EXCHANGE);
    format!(
        "OPTIONS sip:{exchange} SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:5060;branch=z9hG4bKo{number};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:x@{ip}>;tag=1\r\nTo: <sip:{exchange}>\r\nCall-ID: o{number}@{ip}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}
