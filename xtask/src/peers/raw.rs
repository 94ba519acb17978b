//! Bytes on a socket, for what no well-behaved program would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use socket2::{Domain, Socket, Type};

use super::PASSWORD;
use super::sip::{self, Challenge, Text};
use crate::process::eventually;

/// How long a socket of ours may linger in a process that another thread is just starting.
const LINGER: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(10);

/// A UDP socket on port 5060 of an address of ours.
pub(crate) struct UdpPeer(UdpSocket);

impl UdpPeer {
    pub(crate) fn bind(ip: &str) -> Result<Self> {
        let mut bound = None;
        eventually(&format!("UDP port 5060 of {ip}"), LINGER, || {
            bound = UdpSocket::bind((ip, 5060)).ok();
            Ok(bound.is_some())
        })?;
        let socket = bound.context("bound")?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(Self(socket))
    }

    /// Sends one datagram to `to`:5060.
    pub(crate) fn send(&self, to: &str, datagram: &[u8]) -> Result<()> {
        self.0.send_to(datagram, (to, 5060))?;
        Ok(())
    }

    /// Sends one datagram to `to`:5060 and returns the answer.
    pub(crate) fn exchange(&self, to: &str, datagram: &[u8]) -> Result<String> {
        self.send(to, datagram)?;
        let mut answer = vec![0; 65_536];
        let len = self.0.recv(&mut answer).context("no answer to a datagram")?;
        Ok(String::from_utf8_lossy(&answer[..len]).into_owned())
    }
}

impl UdpPeer {
    /// Registers `user`, whose password is everybody's, from `ip`, where this socket is, at `exchange`: the final answer. `number` grows;
    /// `more` are further lines of the REGISTER, Contact among them.
    pub(crate) fn register(&self, exchange: &str, user: &str, ip: &str, number: u32, more: &str) -> Result<String> {
        let first = self.answer(exchange, &sip::register(exchange, user, ip, 2 * number, more))?;
        let Some(challenge) = Challenge::of(&Text::new(&first)) else { return Ok(first) };
        let answer = challenge.answer(user, PASSWORD, "REGISTER", &format!("sip:{exchange}"), 1);
        let more = format!("{more}Authorization: {answer}\r\n");
        self.answer(exchange, &sip::register(exchange, user, ip, 2 * number + 1, &more))
    }

    /// Sends a request to `to`:5060 and returns its final answer, whatever else arrives meanwhile.
    pub(crate) fn answer(&self, to: &str, request: &str) -> Result<String> {
        self.send(to, request.as_bytes())?;
        let asked = Text::new(request);
        self.wait_for("final answer", self.0.read_timeout()?.unwrap_or(ANSWER), |text| {
            let answer = Text::new(text);
            answer.status() >= Some(200) && (answer.call_id(), answer.cseq()) == (asked.call_id(), asked.cseq())
        })
    }

    /// How long an answer is waited for.
    pub(crate) fn be_patient(&self, time: Duration) -> Result<()> {
        Ok(self.0.set_read_timeout(Some(time))?)
    }

    /// Everything that arrives until `deadline`.
    pub(crate) fn receive_until(&self, deadline: Instant) -> Result<Vec<String>> {
        let mut all = Vec::new();
        let mut datagram = vec![0; 65_536];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(all);
            }
            self.0.set_read_timeout(Some(left))?;
            match self.0.recv(&mut datagram) {
                Ok(len) => all.push(String::from_utf8_lossy(&datagram[..len]).into_owned()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error).context("receiving datagrams"),
            }
        }
    }

    /// The first thing to arrive of which `wanted` holds.
    pub(crate) fn wait_for(&self, what: &str, within: Duration, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + within;
        let mut datagram = vec![0; 65_536];
        let mut seen = Vec::new();
        let patience = self.0.read_timeout()?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.0.set_read_timeout(Some(left))?;
            let received = self.0.recv(&mut datagram);
            self.0.set_read_timeout(patience)?;
            let len = match received {
                Ok(len) => len,
                Err(error) => bail!("no {what} within {within:?} ({error}), but {seen:#?}"),
            };
            let text = String::from_utf8_lossy(&datagram[..len]).into_owned();
            if wanted(&text) {
                return Ok(text);
            }
            seen.push(text);
        }
    }
}

/// A connection to `to` from an address of ours.
pub(crate) fn connect_from(ip: &str, to: SocketAddr) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(ip.parse()?, 0).into())?;
    socket.connect_timeout(&to.into(), CONNECT).with_context(|| format!("connecting from {ip} to {to}"))?;
    socket.set_read_timeout(Some(ANSWER))?;
    Ok(socket.into())
}

/// A WebSocket for SIP, granted to somebody at an address of ours (RFC 7118 section 3).
pub(crate) fn open_websocket(ip: &str, to: SocketAddr) -> Result<TcpStream> {
    let mut stream = connect_from(ip, to)?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {to}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
    )?;
    let mut answer = [0; 4096];
    let len = stream.read(&mut answer).context("no answer to a WebSocket's handshake")?;
    let answer = String::from_utf8_lossy(&answer[..len]);
    if !answer.starts_with("HTTP/1.1 101 ") {
        bail!("a WebSocket's handshake got {answer}");
    }
    Ok(stream)
}

/// Connections to `to` that say no more than `hello`, as far as they were accepted; all from one address, 127.0.0.1.
pub(crate) fn half_open(to: SocketAddr, hello: &[u8], count: usize) -> Vec<TcpStream> {
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        let Ok(mut stream) = TcpStream::connect_timeout(&to, CONNECT) else { continue };
        if stream.write_all(hello).is_ok() {
            open.push(stream);
        }
    }
    open
}

/// Connects to `to` and writes `head`, then `piece` again and again, `pause` apart, until the other end closes; returns how much it took
/// before that.
pub(crate) fn tcp_write_until_cut(
    to: SocketAddr,
    head: &[u8],
    piece: &[u8],
    pause: Duration,
    within: Duration,
) -> Result<usize> {
    let stream = TcpStream::connect(to)?;
    be_slow(&stream, pause)?;
    write_until_cut(stream, head, piece, within)
}

/// What is read from this stream is waited for so long, which is the pause between what is written.
pub(crate) fn be_slow(stream: &TcpStream, pause: Duration) -> Result<()> {
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream.set_read_timeout(Some(pause.max(Duration::from_millis(1))))?)
}

/// The same on any stream that is open and slow.
pub(crate) fn write_until_cut(
    mut stream: impl Read + Write,
    head: &[u8],
    piece: &[u8],
    within: Duration,
) -> Result<usize> {
    let deadline = Instant::now() + within;
    let mut written = 0;
    let mut next = head;
    let mut answer = [0; 4096];
    loop {
        match stream.write(next).and_then(|len| stream.flush().map(|()| len)) {
            Ok(len) => written += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => bail!("the server neither reads nor closes"),
            Err(_) => return Ok(written),
        }
        next = piece;
        match stream.read(&mut answer) {
            Ok(0) => return Ok(written),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Ok(written),
        }
        if Instant::now() > deadline {
            bail!("still open after {within:?} and {written} bytes");
        }
    }
}
