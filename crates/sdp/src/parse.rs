//! Reading a session description: lenient where phones are sloppy, exact about what decides.
//!
//! Lenient: bare line feeds, blank lines, repeated spaces, a missing `s=` or `t=`, lines out of order within their section,
//! malformed attribute values (they are kept, and passed over when read). Wrong: what RFC 8866 section 5 tells a parser
//! to refuse (unknown type letters), and anything that would leave us guessing where media goes.

use std::fmt;
use std::net::IpAddr;

use crate::{Attribute, Connection, Line, Media, Origin, SessionDescription};

/// Longest description we read; a browser's with many candidates is near 10 KB.
pub const SDP_BYTES_MAX: usize = 32 * 1024;
/// Most `m=` lines we read in one description.
pub const MEDIA_LINES_MAX: usize = 32;
/// Most formats in one `m=` line: there are no more payload types.
pub const FORMATS_MAX: usize = 128;

/// Why a description was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The line, counted from 1; for what is missing, the line after the last.
    pub line: usize,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// What can be wrong with a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// More than [`SDP_BYTES_MAX`].
    TooLong,
    /// More than [`MEDIA_LINES_MAX`] `m=` lines.
    TooManyMedia,
    /// More than [`FORMATS_MAX`] formats.
    TooManyFormats,
    /// Not `letter=value`, or with a carriage return or NUL inside.
    NotALine,
    /// A type letter that RFC 8866 does not know, or not at this place.
    UnknownType,
    /// The description does not start with `v=0`.
    Version,
    /// `o=` is missing, doubled or malformed.
    Origin,
    /// `c=` is malformed.
    Connection,
    /// `m=` is malformed.
    Media,
    /// `a=` has no name.
    Attribute,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wrong::TooLong => "the description is too long",
            Wrong::TooManyMedia => "too many media lines",
            Wrong::TooManyFormats => "too many formats",
            Wrong::NotALine => "not of the form letter=value",
            Wrong::UnknownType => "unknown type letter",
            Wrong::Version => "does not start with v=0",
            Wrong::Origin => "o= is missing, doubled or malformed",
            Wrong::Connection => "malformed c=",
            Wrong::Media => "malformed m=",
            Wrong::Attribute => "a= without a name",
        })
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session description, line {}: {}", self.line, self.wrong)
    }
}

impl std::error::Error for ParseError {}

impl SessionDescription {
    /// Reads a description from the body of a message.
    ///
    /// # Errors
    /// The first line that cannot be understood (see the module's notes on what is let pass).
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > SDP_BYTES_MAX {
            return Err(ParseError { line: 1, wrong: Wrong::TooLong });
        }
        // Text may be in any charset (RFC 8866 section 6.10); what we decide upon is ASCII, so a replacement character
        // in somebody's session name costs nothing.
        let text = String::from_utf8_lossy(bytes);
        let mut reader = Reader::default();
        let mut number = 0;
        for line in text.lines() {
            number += 1;
            let line = line.trim_end_matches('\r');
            if !line.is_empty() {
                reader.line(line).map_err(|wrong| ParseError { line: number, wrong })?;
            }
        }
        reader.finish().map_err(|wrong| ParseError { line: number + 1, wrong })
    }
}

#[derive(Default)]
struct Reader {
    version_seen: bool,
    origin: Option<Origin>,
    name: Option<String>,
    connection: Option<Connection>,
    lines: Vec<Line>,
    attributes: Vec<Attribute>,
    media: Vec<Media>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), Wrong> {
        let (kind, value) = line.split_once('=').ok_or(Wrong::NotALine)?;
        if value.contains(['\r', '\0']) {
            return Err(Wrong::NotALine);
        }
        let mut letters = kind.chars();
        let (Some(kind), None) = (letters.next(), letters.next()) else { return Err(Wrong::NotALine) };
        if !self.version_seen {
            self.version_seen = kind == 'v' && value.trim() == "0";
            return if self.version_seen { Ok(()) } else { Err(Wrong::Version) };
        }
        if kind == 'm' {
            if self.media.len() == MEDIA_LINES_MAX {
                return Err(Wrong::TooManyMedia);
            }
            self.media.push(parse_media(value)?);
            return Ok(());
        }
        match self.media.last_mut() {
            None => self.session_line(kind, value),
            Some(media) => media_line(media, kind, value),
        }
    }

    fn session_line(&mut self, kind: char, value: &str) -> Result<(), Wrong> {
        match kind {
            'o' if self.origin.is_none() => self.origin = Some(parse_origin(value)?),
            'o' => return Err(Wrong::Origin),
            's' => self.name = Some(value.to_owned()),
            'c' if self.connection.is_none() => self.connection = Some(parse_connection(value)?),
            'a' => self.attributes.push(parse_attribute(value)?),
            'c' | 'i' | 'u' | 'e' | 'p' | 'b' | 't' | 'r' | 'z' | 'k' => {
                self.lines.push(Line { kind, value: value.to_owned() });
            }
            // A second `v=` would be a second description: RFC 3264 section 5 allows one.
            'v' => return Err(Wrong::Version),
            _ => return Err(Wrong::UnknownType),
        }
        Ok(())
    }

    fn finish(self) -> Result<SessionDescription, Wrong> {
        if !self.version_seen {
            return Err(Wrong::Version);
        }
        Ok(SessionDescription {
            origin: self.origin.ok_or(Wrong::Origin)?,
            name: self.name.unwrap_or_else(|| "-".to_owned()),
            connection: self.connection,
            lines: self.lines,
            attributes: self.attributes,
            media: self.media,
        })
    }
}

fn media_line(media: &mut Media, kind: char, value: &str) -> Result<(), Wrong> {
    match kind {
        'c' if media.connection.is_none() => media.connection = Some(parse_connection(value)?),
        'a' => media.attributes.push(parse_attribute(value)?),
        'c' | 'i' | 'b' | 'k' => media.lines.push(Line { kind, value: value.to_owned() }),
        'v' => return Err(Wrong::Version),
        _ => return Err(Wrong::UnknownType),
    }
    Ok(())
}

fn parse_origin(value: &str) -> Result<Origin, Wrong> {
    let mut words = value.split_ascii_whitespace();
    let mut word = || words.next().ok_or(Wrong::Origin);
    let (username, session_id, version) = (word()?, word()?, word()?);
    let address = [word()?, word()?, word()?].join(" ");
    Ok(Origin {
        username: username.to_owned(),
        session_id: session_id.to_owned(),
        version: version.parse().map_err(|_| Wrong::Origin)?,
        address: parse_connection(&address).map_err(|_| Wrong::Origin)?,
    })
}

fn parse_connection(value: &str) -> Result<Connection, Wrong> {
    let words: Vec<&str> = value.split_ascii_whitespace().take(4).collect();
    let [network, family, address] = words[..] else { return Err(Wrong::Connection) };
    // The family is not compared with the literal: some gateways write IP4 before an IPv6 address.
    let literal = network.eq_ignore_ascii_case("IN") && (family.starts_with("IP") || family.starts_with("ip"));
    Ok(match address.parse::<IpAddr>() {
        Ok(ip) if literal => Connection::Ip(ip),
        _ => Connection::Other([network, family, address].join(" ")),
    })
}

fn parse_attribute(value: &str) -> Result<Attribute, Wrong> {
    let (name, value) = match value.split_once(':') {
        Some((name, value)) => (name, Some(value)),
        None => (value, None),
    };
    let name = name.trim();
    if name.is_empty() {
        return Err(Wrong::Attribute);
    }
    Ok(Attribute { name: name.to_owned(), value: value.map(str::to_owned) })
}

fn parse_media(value: &str) -> Result<Media, Wrong> {
    let mut words = value.split_ascii_whitespace();
    let mut word = || words.next().ok_or(Wrong::Media);
    let (kind, ports, protocol) = (word()?, word()?, word()?);
    let (port, port_count) = match ports.split_once('/') {
        Some((port, count)) => (port, Some(count.parse().map_err(|_| Wrong::Media)?)),
        None => (ports, None),
    };
    let formats: Vec<String> = words.take(FORMATS_MAX + 1).map(str::to_owned).collect();
    match formats.len() {
        0 => return Err(Wrong::Media),
        n if n > FORMATS_MAX => return Err(Wrong::TooManyFormats),
        _ => {}
    }
    Ok(Media {
        kind: kind.to_owned(),
        port: port.parse().map_err(|_| Wrong::Media)?,
        port_count,
        protocol: protocol.to_owned(),
        formats,
        connection: None,
        lines: Vec::new(),
        attributes: Vec::new(),
    })
}
