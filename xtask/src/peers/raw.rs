//! Bytes on a socket, for what no well-behaved program would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::eventually;

/// How long a socket of ours may linger in a process that another thread is just starting.
const LINGER: Duration = Duration::from_secs(5);

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

/// Writes `piece` again and again, `pause` apart, until the other end closes; returns how much it took before that.
pub(crate) fn tcp_write_until_cut(
    to: &str,
    head: &[u8],
    piece: &[u8],
    pause: Duration,
    within: Duration,
) -> Result<usize> {
    let mut stream = TcpStream::connect((to, 5060))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let deadline = Instant::now() + within;
    let mut written = 0;
    let mut next = head;
    let mut answer = [0; 4096];
    stream.set_read_timeout(Some(pause.max(Duration::from_millis(1))))?;
    loop {
        match stream.write(next) {
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
