//! Connections that others have opened and that lead back to them (RFC 5923): a peer that has proved its names with a certificate, and says
//! `alias` in its Via, is reached over the connection that it holds to us.

use crate::Server;
use engine::Table;
use sip_message::{Message, Transport};
use sip_transaction::{ConnectionId, Flow, Packet};
use std::net::SocketAddr;

/// Aliases that one shard remembers; of further ones none is made, and their peers are connected to.
pub const ALIASES_MAX: usize = 1024;

/// The connections by where their peers say that they listen.
pub(crate) type Aliases = Table<SocketAddr, ConnectionId>;

impl Server {
    /// Aliases that are remembered, for tests.
    pub fn aliases(&self) -> usize {
        self.aliases.len()
    }

    /// Takes notice of a request that came over TLS.
    pub(crate) fn note_alias(&mut self, packet: &Packet) {
        let Some(connection) = packet.flow.connection.filter(|_| packet.flow.transport == Transport::Tls) else {
            return;
        };
        if !self.proved.contains_key(&connection) || self.aliases.len() >= ALIASES_MAX {
            return;
        }
        if let Some(port) = alias_port(&packet.message) {
            self.aliases.insert(SocketAddr::new(packet.flow.remote.ip(), port), connection);
        }
    }

    /// A connection is gone, and what led over it.
    pub(crate) fn forget_aliases(&mut self, connection: ConnectionId) {
        self.aliases.retain(|_, alias| *alias != connection);
    }

    /// Has flows to `host` go over connections that it holds to us, where it has proved to be just that host (RFC 5923 section 7).
    pub(crate) fn use_aliases(&self, host: &str, flows: &mut [Flow]) {
        for flow in flows.iter_mut().filter(|flow| flow.transport == Transport::Tls) {
            let Some(connection) = self.aliases.get(&flow.remote) else { continue };
            let names = self.proved.get(connection).map_or(&[][..], Vec::as_slice);
            if names.iter().any(|name| name.eq_ignore_ascii_case(host)) {
                flow.connection = Some(*connection);
            }
        }
    }
}

/// Where the sender listens, when it says that we may use this connection to reach it.
fn alias_port(request: &Message) -> Option<u16> {
    let via = request.top_via().ok()?;
    via.params.get("alias")?;
    Some(via.port.unwrap_or_else(|| Transport::Tls.default_port()))
}
