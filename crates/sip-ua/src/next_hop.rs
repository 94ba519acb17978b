use sip_message::{Scheme, Transport, Uri};
use sip_transaction::Flow;
use std::net::IpAddr;

/// Where a request goes next, before its name is looked up (RFC 3261 section 8.1.2, RFC 3263 section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHop {
    /// The transport that the URI demands.
    pub transport: Option<Transport>,
    /// A name, or a literal address (an IPv6 one without brackets).
    pub host: String,
    /// The port, when the URI has one.
    pub port: Option<u16>,
}

impl NextHop {
    /// Where a `sip:` or `sips:` URI leads; `None` for any other scheme.
    pub fn of(uri: &str) -> Option<NextHop> {
        let uri = Uri::parse(uri).ok()?;
        let transport = match uri.scheme {
            Scheme::Sips => Some(Transport::Tls),
            Scheme::Sip => uri.param("transport").and_then(Transport::parse),
            Scheme::Tel | Scheme::Other(_) => return None,
        };
        let host = match uri.param("maddr").filter(|maddr| !maddr.is_empty()) {
            Some(maddr) => maddr.trim_matches(['[', ']']).to_owned(),
            None => uri.host.ip().map_or_else(|| uri.host.to_string(), |ip| ip.to_string()),
        };
        Some(NextHop { transport, host, port: uri.port })
    }

    /// Whether `flow` leads there already: its far end is the literal address, port and transport of this hop.
    pub(crate) fn is_reached_by(&self, flow: &Flow) -> bool {
        let transport = self.transport.unwrap_or(Transport::Udp);
        transport == flow.transport
            && self.host.parse::<IpAddr>() == Ok(flow.remote.ip())
            && self.port.unwrap_or(transport.default_port()) == flow.remote.port()
    }
}

#[cfg(test)]
mod tests {
    use super::NextHop;
    use sip_message::Transport;
    use sip_transaction::Flow;

    #[test]
    fn where_uris_lead() {
        let hop = |uri| NextHop::of(uri).map(|hop| (hop.transport, hop.host, hop.port));
        assert_eq!(hop("sip:bob@example.org"), Some((None, "example.org".into(), None)));
        assert_eq!(
            hop("sip:bob@[2001:db8::1]:5070;transport=TCP"),
            Some((Some(Transport::Tcp), "2001:db8::1".into(), Some(5070)))
        );
        assert_eq!(hop("sips:bob@example.org;transport=tcp"), Some((Some(Transport::Tls), "example.org".into(), None)));
        assert_eq!(hop("sip:bob@example.org;maddr=192.0.2.9"), Some((None, "192.0.2.9".into(), None)));
        assert_eq!(hop("tel:+1234"), None);
        assert_eq!(hop("nonsense"), None);
    }

    #[test]
    fn a_flow_reaches_a_literal_address_only() {
        let flow = |transport| Flow {
            transport,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "192.0.2.2:5060".parse().unwrap(),
            connection: None,
        };
        let hop = |uri| NextHop::of(uri).unwrap();
        assert!(hop("sip:192.0.2.2;lr").is_reached_by(&flow(Transport::Udp)));
        assert!(hop("sip:192.0.2.2:5060;transport=tcp").is_reached_by(&flow(Transport::Tcp)));
        assert!(!hop("sip:192.0.2.2;lr").is_reached_by(&flow(Transport::Tcp)));
        assert!(!hop("sip:192.0.2.2:5061").is_reached_by(&flow(Transport::Udp)));
        assert!(!hop("sip:192.0.2.3").is_reached_by(&flow(Transport::Udp)));
        assert!(!hop("sip:example.org").is_reached_by(&flow(Transport::Udp)));
    }
}
