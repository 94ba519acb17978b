use sip_message::{BadValue, Host, Scheme, Uri, unescape};
use sip_registrar::AddressOfRecord;
use sip_transaction::Flow;
use std::net::{IpAddr, SocketAddr};

/// The names and addresses that an exchange is responsible for. All of them are aliases of the first: the same accounts and
/// the same bindings, whichever of them a phone was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domains {
    canonical: String,
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    ports: Vec<u16>,
}

impl Domains {
    /// The domains `names` (names or literal addresses; the first is the canonical one, `localhost` when there is none), served on
    /// `ports`.
    pub fn new<T: AsRef<str>>(names: impl IntoIterator<Item = T>, ports: Vec<u16>) -> Result<Domains, BadValue> {
        let mut domains = Domains { canonical: String::new(), names: Vec::new(), addresses: Vec::new(), ports };
        for name in names {
            let name = name.as_ref();
            let host = match name.parse::<IpAddr>() {
                Ok(IpAddr::V6(v6)) => Host::V6(v6),
                _ => Host::parse(name)?,
            };
            if domains.canonical.is_empty() {
                domains.canonical = host.to_string().trim_end_matches('.').to_ascii_lowercase();
            }
            match host.ip() {
                Some(address) => domains.addresses.push(address.to_canonical()),
                None => domains.names.push(name.trim_end_matches('.').to_ascii_lowercase()),
            }
        }
        if domains.canonical.is_empty() {
            domains.canonical = "localhost".to_owned();
            domains.names.push("localhost".to_owned());
        }
        Ok(domains)
    }

    /// The same, served on these ports.
    pub fn on_ports(self, ports: Vec<u16>) -> Domains {
        Domains { ports, ..self }
    }

    /// The domain that all others stand for.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Whether a URI, seen in a request that came to our `local` address, names this exchange.
    ///
    /// The port counts: `sip:100@127.0.0.1:5070` is a phone on this machine, unless we listen there. A URI without a port
    /// leaves it to the domain.
    pub fn contains(&self, uri: &Uri<'_>, local: SocketAddr) -> bool {
        self.is_our_host(uri, local) && uri.port.is_none_or(|port| port == local.port() || self.ports.contains(&port))
    }

    /// Whether a URI, in a From of a request that came to our `local` address, is a name that only we can vouch for. To whoever
    /// reads it a port makes no difference, and a URI without a host (`tel:100`) looks like one of our users.
    pub fn names_us(&self, uri: &Uri<'_>, local: SocketAddr) -> bool {
        !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) || self.is_our_host(uri, local)
    }

    fn is_our_host(&self, uri: &Uri<'_>, local: SocketAddr) -> bool {
        match uri.host {
            Host::Name(name) => {
                let name = name.trim_end_matches('.');
                self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
            }
            Host::V4(_) | Host::V6(_) => uri.host.ip().is_some_and(|ip| {
                let ip = ip.to_canonical();
                ip == local.ip().to_canonical() || self.addresses.contains(&ip)
            }),
        }
    }

    /// Whether a flow leads from us to ourselves: what goes there would come back, and go there again.
    ///
    /// Where the other end is an address of this machine, the operating system takes the same one for our end, whatever addresses we
    /// listen on; what is unspecified leads to this machine, too.
    pub fn leads_to_us(&self, flow: &Flow) -> bool {
        let (ip, own) = (flow.remote.ip().to_canonical(), flow.local.ip().to_canonical());
        let here = ip == own || ip.is_unspecified() || self.addresses.contains(&ip);
        here && (flow.remote.port() == flow.local.port() || self.ports.contains(&flow.remote.port()))
    }

    /// The address-of-record that a URI of ours means: its user in the canonical domain. `None` for a URI without a user or with one
    /// that cannot be.
    pub fn address_of_record(&self, uri: &Uri<'_>) -> Option<AddressOfRecord> {
        if let Scheme::Other(_) = uri.scheme {
            return None;
        }
        let written = uri.user?;
        if !written.is_empty() && !written.bytes().any(|byte| matches!(byte, b'%' | b';')) {
            return AddressOfRecord::in_canonical(written, &self.canonical).ok(); // as most are
        }
        let user = unescape(written);
        let user = String::from_utf8_lossy(&user);
        // RFC 3261 section 19.1.6: a telephone number may carry parameters inside the user part; they name no other user.
        let user = user.split(';').next().unwrap_or("");
        if user.is_empty() {
            return None;
        }
        AddressOfRecord::in_canonical(user, &self.canonical).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Domains;
    use sip_message::{Transport, Uri};
    use sip_transaction::Flow;

    #[test]
    fn what_is_ours() {
        let domains = Domains::new(["Example.org", "10.0.0.1", "::1"], vec![5060, 5061]).expect("good names");
        let local = "192.0.2.1:5070".parse().expect("an address");
        for (uri, ours) in [
            ("sip:a@example.ORG", true),
            ("sip:a@example.org.:5061", true),
            ("sip:a@example.org:5062", false),
            ("sip:a@10.0.0.1", true),
            ("sip:a@[::1]:5060", true),
            ("sip:a@192.0.2.1", true),
            ("sip:a@192.0.2.1:5070", true),
            ("sip:a@192.0.2.1:5080", false),
            ("sip:a@192.0.2.2", false),
            ("sip:a@example.com", false),
        ] {
            assert_eq!(domains.contains(&Uri::parse(uri).expect("a URI"), local), ours, "{uri}");
        }
    }

    #[test]
    fn names_are_ours_whatever_the_port() {
        let domains = Domains::new(["example.org", "10.0.0.1"], vec![5060]).expect("good names");
        let local = "192.0.2.1:5060".parse().expect("an address");
        for (uri, ours) in [
            ("sip:a@example.org:9999", true),
            ("sips:a@EXAMPLE.org.", true),
            ("sip:a@10.0.0.1:1", true),
            ("sip:a@192.0.2.1:9999", true),
            ("tel:100", true),
            ("im:a@example.com", true),
            ("sip:a@example.com:5060", false),
            ("sip:a@192.0.2.2", false),
        ] {
            assert_eq!(domains.names_us(&Uri::parse(uri).expect("a URI"), local), ours, "{uri}");
        }
    }

    #[test]
    fn what_would_come_back() {
        let domains = Domains::new(["example.org", "10.0.0.1"], vec![5060]).expect("good names");
        for (local, remote, back) in [
            ("192.0.2.1:5070", "192.0.2.1:5060", true),
            ("192.0.2.1:5070", "192.0.2.1:5070", true),
            ("192.0.2.1:5070", "192.0.2.1:5080", false),
            ("192.0.2.1:5060", "192.0.2.2:5060", false),
            ("192.0.2.1:5060", "10.0.0.1:5060", true),
            ("127.0.0.1:5060", "0.0.0.0:5060", true),
            ("[::ffff:192.0.2.1]:5060", "192.0.2.1:5060", true),
            ("[::1]:5060", "[::]:5060", true),
            ("[::1]:5060", "[::1]:6060", false),
        ] {
            let (local, remote) = (local.parse().expect("an address"), remote.parse().expect("an address"));
            let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
            assert_eq!(domains.leads_to_us(&flow), back, "{flow:?}");
        }
    }

    #[test]
    fn aliases_share_their_users() {
        let domains = Domains::new(["example.org", "10.0.0.1"], vec![5060]).expect("good names");
        for uri in
            ["sip:bob@example.org", "sip:bob@10.0.0.1:5060;x=y", "sips:%62ob@example.org", "sip:bob;ext=2@example.org"]
        {
            let aor = domains.address_of_record(&Uri::parse(uri).expect("a URI"));
            assert_eq!(aor.expect("a user").as_str(), "bob@example.org", "{uri}");
        }
        assert!(domains.address_of_record(&Uri::parse("sip:example.org").expect("a URI")).is_none());
        let nameless = Domains::new([""; 0], vec![5060]).expect("empty");
        assert_eq!(nameless.canonical(), "localhost");
        let local = "192.0.2.1:5060".parse().expect("an address");
        assert!(nameless.contains(&Uri::parse("sip:a@localhost").expect("a URI"), local));
    }
}
