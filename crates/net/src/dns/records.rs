use std::net::IpAddr;

/// A NAPTR record (RFC 3403 section 4.1). Names are written without their last dot; that of the root is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Naptr {
    pub(crate) order: u16,
    pub(crate) preference: u16,
    pub(crate) flags: String,
    pub(crate) services: String,
    pub(crate) regexp: String,
    pub(crate) replacement: String,
}

/// An SRV record (RFC 2782), by whose order those of one priority with weight 0 come first. Names as in [`Naptr`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Srv {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    pub(crate) port: u16,
    pub(crate) target: String,
}

/// All that finding a server asks. Nothing known and nothing heard are both an empty answer.
pub(crate) trait Records {
    async fn naptr(&self, domain: &str) -> Vec<Naptr>;
    /// `name` is that of the service, `_sip._udp.example.org`.
    async fn srv(&self, name: &str) -> Vec<Srv>;
    /// The addresses of either family.
    async fn addresses(&self, host: &str) -> Vec<IpAddr>;
}
