//! Writing a session description, in the order of lines that RFC 8866 section 5 prescribes.

use std::fmt;
use std::net::IpAddr;

use crate::{Attribute, Connection, Line, Media, Origin, SessionDescription};

/// The description as the body of a message, with CRLF line ends.
impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=0\r\no={}\r\ns={}\r\n", self.origin, self.name)?;
        let before_connection = |l: &&Line| matches!(l.kind, 'i' | 'u' | 'e' | 'p');
        write_lines(f, self.lines.iter().filter(before_connection))?;
        if let Some(connection) = &self.connection {
            write!(f, "c={connection}\r\n")?;
        }
        write_lines(f, self.lines.iter().filter(|l| !before_connection(l)))?;
        if !self.lines.iter().any(|l| l.kind == 't') {
            f.write_str("t=0 0\r\n")?;
        }
        self.attributes.iter().try_for_each(|a| write!(f, "a={a}\r\n"))?;
        self.media.iter().try_for_each(|m| m.fmt(f))
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {}", self.kind, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.protocol)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))?;
        f.write_str("\r\n")?;
        write_lines(f, self.lines.iter().filter(|l| l.kind == 'i'))?;
        if let Some(connection) = &self.connection {
            write!(f, "c={connection}\r\n")?;
        }
        write_lines(f, self.lines.iter().filter(|l| l.kind != 'i'))?;
        self.attributes.iter().try_for_each(|a| write!(f, "a={a}\r\n"))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.username, self.session_id, self.version, self.address)
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Connection::Ip(IpAddr::V4(ip)) => write!(f, "IN IP4 {ip}"),
            Connection::Ip(IpAddr::V6(ip)) => write!(f, "IN IP6 {ip}"),
            Connection::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}:{value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

fn write_lines<'a>(f: &mut fmt::Formatter<'_>, mut lines: impl Iterator<Item = &'a Line>) -> fmt::Result {
    lines.try_for_each(|l| write!(f, "{}={}\r\n", l.kind, l.value))
}
