use crate::{Scheme, Transport, Uri};

/// Where a request goes next, before its name is looked up (RFC 3261 section 8.1.2, RFC 3263 section 4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NextHop {
    /// Whether only a way with TLS will do: the URI is a `sips:` one.
    pub secure: bool,
    /// The transport that the URI demands; `None` leaves the choice to the lookup.
    pub transport: Option<Transport>,
    /// A name, or a literal address (an IPv6 one without brackets).
    pub host: String,
    /// The port, when the URI has one.
    pub port: Option<u16>,
}

impl NextHop {
    /// Where a `sip:` or `sips:` URI leads; `None` for any other scheme.
    pub fn of(uri: &Uri<'_>) -> Option<NextHop> {
        let secure = match uri.scheme {
            Scheme::Sips => true,
            Scheme::Sip => false,
            Scheme::Tel | Scheme::Other(_) => return None,
        };
        let asked = uri.param("transport").and_then(Transport::parse);
        let transport = if secure { asked.map(Transport::secured) } else { asked };
        let host = match uri.param("maddr").filter(|maddr| !maddr.is_empty()) {
            Some(maddr) => maddr.trim_matches(['[', ']']).to_owned(),
            None => uri.host.ip().map_or_else(|| uri.host.to_string(), |ip| ip.to_string()),
        };
        Some(NextHop { secure, transport, host, port: uri.port })
    }

    /// The transport to use where nothing but an address is known (RFC 3263 section 4.1).
    pub fn default_transport(&self) -> Transport {
        self.transport.unwrap_or(if self.secure { Transport::Tls } else { Transport::Udp })
    }
}

#[cfg(test)]
mod tests {
    use super::NextHop;
    use crate::{Transport, Uri};

    #[test]
    fn where_uris_lead() {
        let hop =
            |uri| NextHop::of(&Uri::parse(uri).unwrap()).map(|hop| (hop.secure, hop.transport, hop.host, hop.port));
        assert_eq!(hop("sip:bob@example.org"), Some((false, None, "example.org".into(), None)));
        let v6 = Some((false, Some(Transport::Tcp), "2001:db8::1".into(), Some(5070)));
        assert_eq!(hop("sip:bob@[2001:db8::1]:5070;transport=TCP"), v6);
        assert_eq!(hop("sip:bob@example.org;maddr=192.0.2.9"), Some((false, None, "192.0.2.9".into(), None)));
        assert_eq!(hop("tel:+1234"), None);
        for (uri, transport) in [
            ("sips:bob@example.org", None),
            ("sips:bob@example.org;transport=tcp", Some(Transport::Tls)),
            ("sips:bob@example.org;transport=ws", Some(Transport::Wss)),
        ] {
            assert_eq!(hop(uri), Some((true, transport, "example.org".into(), None)), "{uri}");
        }
    }

    #[test]
    fn without_a_word_on_it_it_is_udp_or_tls() {
        let default = |uri| NextHop::of(&Uri::parse(uri).unwrap()).map(|hop| hop.default_transport());
        assert_eq!(default("sip:a"), Some(Transport::Udp));
        assert_eq!(default("sips:a"), Some(Transport::Tls));
        assert_eq!(default("sip:a;transport=ws"), Some(Transport::Ws));
    }
}
