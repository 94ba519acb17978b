//! One question over HTTP, from the host that is asked or another.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

use super::raw::connect_from;

const WITHIN: Duration = Duration::from_secs(5);

/// GET: the status and the body.
pub(crate) fn get(server: &str, path: &str) -> Result<(u16, String)> {
    ask(TcpStream::connect(server).with_context(|| format!("connecting to {server}"))?, server, path)
}

/// The same from an address of ours.
pub(crate) fn get_from(ip: &str, server: &str, path: &str) -> Result<(u16, String)> {
    ask(connect_from(ip, server.parse()?)?, server, path)
}

fn ask(mut stream: TcpStream, server: &str, path: &str) -> Result<(u16, String)> {
    stream.set_read_timeout(Some(WITHIN))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("reading {path} from {server}"))?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("{path} got {answer:?}"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.with_context(|| format!("{path} got {head:?}"))?, body.to_owned()))
}
