//! The one thread that plays all telephones: two sockets, a clock, and a rate.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use engine::Rng;

use super::calls::{Calls, Sent, Side};
use super::phones::Phones;
use crate::peers::sip::Text;

/// How long it waits for a datagram before it looks at what is due.
const TICK: Duration = Duration::from_millis(1);
/// Datagrams taken from a socket before something is sent again.
const BATCH: usize = 512;

/// Telephones on two sockets.
pub(crate) struct Client {
    /// The called ends; the telephones register from here.
    phones_socket: UdpSocket,
    callers_socket: UdpSocket,
    exchange: (String, u16),
    pub(crate) phones: Phones,
    pub(crate) calls: Calls,
    rng: Rng,
    /// REGISTERs and calls that it begins in a second.
    rates: [u32; 2],
}

impl Client {
    /// Telephones of `users` and `callees` at an address of their own.
    pub(crate) fn new(
        ip: &str,
        exchange: &str,
        users: &[String],
        callees: &[String],
        rates: [u32; 2],
        rng: Rng,
    ) -> Result<Self> {
        let (phones_socket, callers_socket) = (UdpSocket::bind((ip, 0))?, UdpSocket::bind((ip, 0))?);
        phones_socket.set_read_timeout(Some(TICK))?;
        callers_socket.set_nonblocking(true)?;
        let (called, calling) = (phones_socket.local_addr()?.to_string(), callers_socket.local_addr()?.to_string());
        Ok(Self {
            phones_socket,
            callers_socket,
            exchange: (exchange.to_owned(), 5060),
            phones: Phones::new(exchange, &called, users, callees),
            calls: Calls::new(exchange, &calling, &called, callees),
            rng,
            rates,
        })
    }

    /// Registers and, if `calling`, calls for so long, or until `enough`.
    pub(crate) fn drive(&mut self, time: Duration, calling: bool, enough: impl Fn(&Self) -> bool) -> Result<()> {
        let started = Instant::now();
        let mut begun = [0_u64; 2];
        loop {
            let now = Instant::now();
            let passed = now.saturating_duration_since(started);
            if passed > time || enough(self) {
                return Ok(());
            }
            let due = self.rates.map(|rate| (passed.as_secs_f64() * f64::from(rate)) as u64);
            while begun[0] < due[0] {
                begun[0] += 1;
                let Some(register) = self.phones.register_next(now, &mut self.rng) else { break };
                self.send(&(Side::Callee, register))?;
            }
            while calling && begun[1] < due[1] {
                begun[1] += 1;
                let invite = self.calls.begin(now, &mut self.rng);
                self.send(&invite)?;
            }
            for register in self.phones.again(now) {
                self.send(&(Side::Callee, register))?;
            }
            for sent in self.calls.due(now) {
                self.send(&sent)?;
            }
            self.take(Side::Callee)?;
            self.take(Side::Caller)?;
        }
    }

    /// Takes what has come by now: with the exchange dead, everything that it ever said.
    pub(crate) fn settle(&mut self) -> Result<()> {
        while self.take(Side::Callee)? + self.take(Side::Caller)? > 0 {}
        Ok(())
    }

    /// Takes what has come to one end; how much that was.
    fn take(&mut self, side: Side) -> Result<usize> {
        let mut datagram = [0; 8192];
        for taken in 0..BATCH {
            let len = match self.socket(side).recv(&mut datagram) {
                Ok(len) => len,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(taken),
                // Nobody is there: what ICMP says of a socket that has sent.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error).context("receiving"),
            };
            let now = Instant::now();
            let text = String::from_utf8_lossy(&datagram[..len]);
            let message = Text::new(&text);
            if message.method() == "REGISTER" {
                if let Some(register) = self.phones.handle_response(now, &message) {
                    self.send(&(Side::Callee, register))?;
                }
                continue;
            }
            for sent in self.calls.handle(now, side, &message) {
                self.send(&sent)?;
            }
        }
        Ok(BATCH)
    }

    fn socket(&self, side: Side) -> &UdpSocket {
        match side {
            Side::Callee => &self.phones_socket,
            Side::Caller => &self.callers_socket,
        }
    }

    fn send(&self, (side, bytes): &Sent) -> Result<()> {
        let (exchange, port) = &self.exchange;
        match self.socket(*side).send_to(bytes, (exchange.as_str(), *port)) {
            Err(error) if error.kind() != ErrorKind::ConnectionRefused => Err(error).context("sending"),
            _ => Ok(()),
        }
    }
}
