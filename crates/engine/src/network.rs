use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a text is no network: what it should have been instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotANetwork(&'static str);

/// An address, or a network of them: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads an address with or without `/BITS`. Bits behind those that count must be 0, so that no typing error goes unnoticed.
    pub fn parse(text: &str) -> Result<Network, NotANetwork> {
        const WANTED: NotANetwork =
            NotANetwork("an address or a network, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32");
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| WANTED)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits.map_or(Ok(width), str::parse).map_err(|_| WANTED)?;
        if bits > width {
            return Err(WANTED);
        }
        let network = Network { address, bits };
        if network.masked(address) != number(address) {
            return Err(NotANetwork("the first address of the network in front of the slash, such as 10.0.0.0/8"));
        }
        Ok(network)
    }

    /// The network of `bits` bits (all of them, if that is more than there are) that `address` is in.
    pub fn of(address: IpAddr, bits: u32) -> Network {
        let width = if address.is_ipv4() { 32 } else { 128 };
        let whole = Network { address, bits: bits.min(width) };
        let first = whole.masked(address);
        let address = if address.is_ipv4() {
            Ipv4Addr::from_bits(first as u32).into()
        } else {
            Ipv6Addr::from_bits(first).into()
        };
        Network { address, ..whole }
    }

    /// Whether `address` is in it. An IPv4 address written as an IPv6 one (::ffff:192.0.2.7) counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && self.masked(address) == number(self.address)
    }

    /// Whether all of `other` is in it.
    pub fn covers(&self, other: &Network) -> bool {
        self.bits <= other.bits && self.contains(other.address)
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits its addresses have in common.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    fn masked(&self, address: IpAddr) -> u128 {
        let width = if address.is_ipv4() { 32 } else { 128 };
        let unimportant = width - self.bits;
        number(address).checked_shr(unimportant).and_then(|top| top.checked_shl(unimportant)).unwrap_or(0)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotANetwork {}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.address.is_ipv4() { 32 } else { 128 };
        if self.bits == width { self.address.fmt(f) } else { write!(f, "{}/{}", self.address, self.bits) }
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn what_is_in_a_network() {
        for (network, address, is) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
        ] {
            assert_eq!(Network::parse(network).unwrap().contains(address.parse().unwrap()), is, "{network} {address}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0/8", "example.org", "::/129", "10.0.0.0/-1"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
        for (address, bits, network) in
            [("192.0.2.7", 24, "192.0.2.0/24"), ("192.0.2.7", 99, "192.0.2.7"), ("2001:db8:1::7", 32, "2001:db8::/32")]
        {
            assert_eq!(Network::of(address.parse().unwrap(), bits), Network::parse(network).unwrap());
        }
        let covers = |a, b| Network::parse(a).unwrap().covers(&Network::parse(b).unwrap());
        assert!(
            covers("10.0.0.0/8", "10.1.0.0/16") && !covers("10.1.0.0/16", "10.0.0.0/8") && !covers("::/0", "1.2.3.4")
        );
    }
}
