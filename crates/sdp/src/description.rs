//! A session description as a value.

use std::net::IpAddr;

use crate::{Direction, Media};

/// A session description (RFC 8866 section 5). Lines that we do not interpret are kept and written back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDescription {
    /// `o=`
    pub origin: Origin,
    /// `s=`; `-` for a session without a name (RFC 3264 section 5).
    pub name: String,
    /// `c=` of the session: what media lines without their own inherit.
    pub connection: Option<Connection>,
    /// The session's other lines (`i u e p b t r z k`) in the order they came.
    pub lines: Vec<Line>,
    /// The session's `a=` lines, in order.
    pub attributes: Vec<Attribute>,
    /// The media descriptions, in order: their index is their identity in offer/answer.
    pub media: Vec<Media>,
}

/// Who made the description and how often it changed (RFC 8866 section 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// A user name, or `-`.
    pub username: String,
    /// Digits in theory; kept as they came, since some phones send more than 64 bits or letters.
    pub session_id: String,
    /// Grows with each change (RFC 3264 section 8).
    pub version: u64,
    /// Where the description was made; never a place to send media to.
    pub address: Connection,
}

/// A network type, address type and address: `IN IP4 192.0.2.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// A literal Internet address.
    Ip(IpAddr),
    /// Anything else, word for word: a host name, a multicast group with its scope, another network.
    Other(String),
}

impl Connection {
    /// The literal address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Connection::Ip(ip) => Some(*ip),
            Connection::Other(_) => None,
        }
    }
}

/// A line that we keep without interpreting it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The type letter.
    pub kind: char,
    /// What follows the equals sign.
    pub value: String,
}

/// An `a=` line: a name, and a value after a colon if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Compared exactly: attribute names are case-sensitive (RFC 8866 section 5.13).
    pub name: String,
    /// What follows the colon.
    pub value: Option<String>,
}

impl Attribute {
    /// A property: `a=name`.
    pub fn flag(name: &str) -> Self {
        Attribute { name: name.into(), value: None }
    }

    /// A value: `a=name:value`.
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        Attribute { name: name.into(), value: Some(value.into()) }
    }
}

impl SessionDescription {
    /// The direction that media lines without their own inherit (RFC 8866 section 6.7).
    pub fn direction(&self) -> Option<Direction> {
        self.attributes.iter().find_map(|a| Direction::from_attribute(&a.name))
    }

    /// The direction of this media line: its own, else the session's, else both ways.
    pub fn direction_of(&self, media: &Media) -> Direction {
        media.direction().or(self.direction()).unwrap_or_default()
    }

    /// The connection of this media line: its own, else the session's.
    pub fn connection_of<'a>(&'a self, media: &'a Media) -> Option<&'a Connection> {
        media.connection.as_ref().or(self.connection.as_ref())
    }
}
