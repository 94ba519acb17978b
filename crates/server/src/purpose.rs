use crate::Server;
use sip_message::{Host, Message, Method, Scheme, Uri};
use sip_proxy::Checked;
use sip_registrar::AddressOfRecord;
use std::net::SocketAddr;

/// What a request is for, by its method and Request-URI.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// The registrar of this domain.
    Register(Option<AddressOfRecord>),
    /// The exchange itself.
    Exchange,
    /// A user of ours, or a number that dial rules may know.
    User(AddressOfRecord),
    /// Some place that we are not responsible for.
    Elsewhere,
}

impl Server {
    /// What `request` is for, which came to our address `local`.
    pub(crate) fn purpose(&self, request: &Message, checked: Option<Checked<'_>>, local: SocketAddr) -> Purpose {
        let uri = checked.map(|checked| checked.uri).or_else(|| request.request_uri_parsed().ok());
        let Some(uri) = uri else { return Purpose::Elsewhere };
        let domains = &self.config.domains;
        if uri.scheme != Scheme::Tel && !self.is_ours(&uri, local) {
            return Purpose::Elsewhere;
        }
        if request.method() == Method::Register {
            let to = checked.map(|checked| checked.to).or_else(|| request.to().ok()?.uri_parsed().ok());
            return Purpose::Register(
                to.filter(|to| domains.contains(to, local)).and_then(|to| domains.address_of_record(&to)),
            );
        }
        domains.address_of_record(&uri).map_or(Purpose::Exchange, Purpose::User)
    }

    /// Whether a URI, in a request that came to our address `local`, is ours to answer for. Where its `maddr` names somebody else, that is
    /// where it leads (RFC 3261 section 16.5).
    pub(crate) fn is_ours(&self, uri: &Uri<'_>, local: SocketAddr) -> bool {
        let domains = &self.config.domains;
        let maddr = uri.param("maddr").and_then(|maddr| Host::parse(maddr).ok());
        domains.contains(uri, local) && maddr.is_none_or(|host| domains.contains(&Uri { host, ..*uri }, local))
    }
}
