use crate::Network;
use sip_message::{Host, NextHop, Uri};
use std::net::IpAddr;

/// Another exchange, or a carrier, that calls go to and come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trunk {
    /// What rules call it.
    pub name: String,
    /// Where it is: `sip:` or `sips:` URIs without a user, the best first.
    pub to: Vec<String>,
    /// Where it sends from. Over UDP anybody can claim any address: this is worth what the network in between is worth.
    pub from: Vec<Network>,
    /// Names of which its certificate proves one (RFC 5922 section 7.1, mutual TLS).
    pub names: Vec<String>,
    /// Whether it is in our trust domain: it is told who calls, and believed when it says so (RFC 3325).
    pub trust_identity: bool,
}

impl Trunk {
    /// Whether a request from `source`, over a connection that has proved `proved_names`, comes from here. With `from` and `names` both
    /// are needed; with neither nothing comes from here.
    pub fn is_peer(&self, source: IpAddr, proved_names: &[String]) -> bool {
        let address = self.from.iter().any(|network| network.contains(source));
        let name = || self.names.iter().any(|name| proved_names.iter().any(|proved| proved.eq_ignore_ascii_case(name)));
        match (self.from.is_empty(), self.names.is_empty()) {
            (true, true) => false,
            (false, true) => address,
            (true, false) => name(),
            (false, false) => address && name(),
        }
    }
}

/// All trunks. Their names differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trunks(Vec<Trunk>);

impl Trunks {
    /// These trunks; of two with one name the first is the one that is found.
    pub fn new(trunks: Vec<Trunk>) -> Trunks {
        Trunks(trunks)
    }

    /// The trunk of this name.
    pub fn get(&self, name: &str) -> Option<&Trunk> {
        self.0.iter().find(|trunk| trunk.name == name)
    }

    /// The first trunk that a request comes from ([`Trunk::is_peer`]).
    pub fn find(&self, source: IpAddr, proved_names: &[String]) -> Option<&Trunk> {
        self.0.iter().find(|trunk| trunk.is_peer(source, proved_names))
    }

    /// Whether a URI leads to where a trunk is: its host, or what its `maddr` puts in the place of that, is one of theirs, or an address
    /// that one sends from.
    pub fn are_at(&self, uri: &Uri<'_>) -> bool {
        let maddr = uri.param("maddr").and_then(|maddr| Host::parse(maddr).ok());
        [Some(uri.host), maddr].into_iter().flatten().any(|host| {
            let theirs = |text: &String| Uri::parse(text).is_ok_and(|own| own.host.same_as(&host));
            self.0.iter().any(|trunk| trunk.to.iter().any(theirs)) || host.ip().is_some_and(|ip| self.send_from(ip))
        })
    }

    /// Whether a host, without brackets, is where a trunk is reached.
    pub fn are_called(&self, host: &str) -> bool {
        let own = |text: &String| Uri::parse(text).ok().and_then(|uri| NextHop::of(&uri));
        self.0.iter().flat_map(|trunk| &trunk.to).filter_map(own).any(|own| own.host.eq_ignore_ascii_case(host))
    }

    /// Whether a trunk sends from this address.
    pub fn send_from(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|trunk| trunk.from.iter().any(|network| network.contains(address)))
    }

    /// All of them, in their order.
    pub fn as_slice(&self) -> &[Trunk] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Trunk, Trunks};
    use crate::Network;
    use sip_message::Uri;

    #[test]
    fn trunks_are_known_by_address_by_certificate_or_by_both() {
        let trunk = |name: &str, from: &[&str], names: &[&str]| Trunk {
            name: name.into(),
            from: from.iter().map(|text| Network::parse(text).unwrap()).collect(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Trunk::default()
        };
        let trunks = Trunks::new(vec![
            trunk("out only", &[], &[]),
            trunk("both", &["10.1.0.0/16"], &["sip.both.example"]),
            trunk("address", &["10.0.0.0/8"], &[]),
            trunk("name", &[], &["Sip.Name.example"]),
        ]);
        let find = |source: &str, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            trunks.find(source.parse().unwrap(), &names).map(|trunk| trunk.name.as_str())
        };
        assert_eq!(find("10.2.0.1", &[]), Some("address"));
        assert_eq!(find("10.1.0.1", &["sip.both.example"]), Some("both"));
        assert_eq!(find("10.1.0.1", &["x", "y"]), Some("address"));
        assert_eq!(find("192.0.2.1", &["x", "sip.name.EXAMPLE"]), Some("name"));
        assert_eq!(find("192.0.2.1", &["sip.both.example"]), None);
        assert_eq!(find("192.0.2.1", &[]), None);
        let at = |uri: &str| trunks.are_at(&Uri::parse(uri).unwrap());
        assert!(
            at("sip:1@10.9.9.9:5080") && at("sips:[::ffff:10.9.9.9]") && !at("sip:1@192.0.2.1") && !at("sip:x.example")
        );
        let reached = Trunks::new(vec![Trunk { to: vec!["sips:gw.example:5061".into()], ..Trunk::default() }]);
        assert!(reached.are_at(&Uri::parse("sip:1@GW.example.;x=y").unwrap()));
        assert!(reached.are_at(&Uri::parse("sip:1@elsewhere.example;maddr=gw.example").unwrap()));
        assert_eq!(trunks.get("name").map(|trunk| &trunk.name[..]), Some("name"));
    }
}
