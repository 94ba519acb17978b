//! Connections that others have opened and that lead back to them (RFC 5923): a peer that has proved its names with a certificate, and says
//! `alias` in its Via, is reached over the connection that it holds to us, by the shard that has seen it say so.

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
        let port = if self.proved.contains_key(&connection) { alias_port(&packet.message) } else { None };
        let Some(address) = port.map(|port| SocketAddr::new(packet.flow.remote.ip(), port)) else { return };
        if self.aliases.len() < ALIASES_MAX || self.aliases.contains_key(&address) {
            self.aliases.insert(address, connection);
        }
    }

    /// A connection is gone, and what led over it.
    pub(crate) fn forget_aliases(&mut self, connection: ConnectionId) {
        self.aliases.retain(|_, alias| *alias != connection);
    }

    /// Has flows to `host` go over connections that it holds to us, where it has proved to be just that host (RFC 5923 section 7).
    pub(crate) fn use_aliases(&self, host: &str, flows: &mut Vec<Flow>) {
        let held = |flow: &Flow| {
            let connection = self.aliases.get(&flow.remote).filter(|_| flow.transport == Transport::Tls)?;
            let names = self.proved.get(connection).map_or(&[][..], Vec::as_slice);
            let proved = names.iter().any(|name| name.eq_ignore_ascii_case(host));
            proved.then_some(Flow { connection: Some(*connection), ..*flow })
        };
        // Should it have closed meanwhile, there is still the way that was found.
        if let Some(first) = flows.iter().find_map(held) {
            flows.insert(0, first);
        }
    }
}

/// Where the sender listens, when it says that we may use this connection to reach it.
fn alias_port(request: &Message) -> Option<u16> {
    let via = request.top_via().ok()?;
    via.params.get("alias")?;
    Some(via.port.unwrap_or_else(|| Transport::Tls.default_port()))
}
