use std::fmt;

/// A transport of SIP, as Via and the `transport` parameter name it (RFC 3261 section 18, RFC 7118).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A byte stream.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Transport {
    /// The transport with this name, in any case.
    pub fn parse(name: &str) -> Option<Transport> {
        if name == "UDP" {
            return Some(Transport::Udp); // as most are
        }
        [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss]
            .into_iter()
            .find(|transport| name.eq_ignore_ascii_case(transport.as_str()))
    }

    /// The name in a Via.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// The value of a URI's `transport` parameter.
    pub fn as_param(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws => "ws",
            Transport::Wss => "wss",
        }
    }

    /// The same with TLS under it (RFC 3261 section 26.2.2); datagrams have none here, and a stream takes their place.
    pub fn secured(self) -> Transport {
        match self {
            Transport::Udp | Transport::Tcp | Transport::Tls => Transport::Tls,
            Transport::Ws | Transport::Wss => Transport::Wss,
        }
    }

    /// Whether it has TLS under it.
    pub fn is_secure(self) -> bool {
        self.secured() == self
    }

    /// Whether it delivers by itself, so that nothing is retransmitted over it.
    pub fn reliable(self) -> bool {
        self != Transport::Udp
    }

    /// The port where none is written (RFC 3261 section 19.1.2, RFC 7118 section 8).
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Transport;

    /// RFC 7118 sections 5, 5.1, 5.2, 5.5 and 9.2.
    #[test]
    fn names_and_ports_of_websocket() {
        for (name, transport, port) in [("WS", Transport::Ws, 80), ("WSS", Transport::Wss, 443)] {
            assert_eq!(
                (Transport::parse(name), Transport::parse(&name.to_lowercase())),
                (Some(transport), Some(transport))
            );
            assert_eq!((transport.as_str(), transport.default_port(), transport.reliable()), (name, port, true));
            assert_eq!(transport.secured(), Transport::Wss);
        }
        assert_eq!(Transport::Ws.as_param(), "ws");
    }
}
