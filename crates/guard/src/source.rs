use engine::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bits of an IPv4 network that a ban must at least name.
pub const BAN_BITS_MIN_V4: u32 = 8;

/// Bits of an IPv6 network that a ban must at least name.
pub const BAN_BITS_MIN_V6: u32 = 16;

/// Above all addresses that can send anything (those of ff00::/8 cannot), IPv4 has its place.
const V4: u64 = 0xFFFF_FFFF_0000_0000;

/// Who is dealt with as one: an IPv4 address, or the /64 of an IPv6 one, for that much belongs to everybody who has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source(pub(crate) u64);

impl Source {
    /// Whom `address` belongs to. An IPv4 address written as an IPv6 one (::ffff:192.0.2.7) counts as what it is.
    pub fn of(address: IpAddr) -> Source {
        match address.to_canonical() {
            IpAddr::V4(v4) => Source(V4 | u64::from(v4.to_bits())),
            IpAddr::V6(v6) => Source((v6.to_bits() >> 64) as u64),
        }
    }
}

/// Sources with a common beginning: what a ban is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Block {
    start: u64,
    /// Bits of it that count; 64: one source.
    pub(crate) length: u8,
}

impl Block {
    /// The one source.
    pub(crate) fn one(source: Source) -> Block {
        Block { start: source.0, length: 64 }
    }

    /// What a network is in sources: no less than one. `None`: it is wider than a ban may be.
    pub(crate) fn of(network: &Network) -> Option<Block> {
        let length = match network.address() {
            IpAddr::V4(_) if network.bits() < BAN_BITS_MIN_V4 => return None,
            IpAddr::V4(_) => 32 + network.bits(),
            IpAddr::V6(_) if network.bits() < BAN_BITS_MIN_V6 => return None,
            IpAddr::V6(_) => network.bits().min(64),
        };
        Some(Block::around(Source::of(network.address()), length as u8))
    }

    /// The block of that length (1 to 64) with `source` in it.
    pub(crate) fn around(source: Source, length: u8) -> Block {
        Block { start: source.0 & (u64::MAX << (64 - length)), length }
    }

    pub(crate) fn network(self) -> Network {
        if self.start >= V4 {
            return Network::of(Ipv4Addr::from_bits(self.start as u32).into(), u32::from(self.length) - 32);
        }
        Network::of(Ipv6Addr::from_bits(u128::from(self.start) << 64).into(), u32::from(self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::of(text.parse().expect("an address"))
    }

    #[test]
    fn one_network_of_ipv6_is_one_source() {
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff:1:2:3"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("::192.0.2.1"), source("192.0.2.1"));
    }

    #[test]
    fn blocks_are_what_networks_are() {
        for (network, with, without) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("10.0.0.0/8", "10.255.0.0", "11.0.0.0"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("2001:db8::/64", "2001:db8::ffff:1", "2001:db8:0:1::1"),
        ] {
            let block = Block::of(&Network::parse(network).expect("a network")).expect("narrow enough");
            assert_eq!(Block::around(source(with), block.length), block, "{network}");
            assert_ne!(Block::around(source(without), block.length), block, "{network}");
            assert_eq!(block.network().to_string(), network);
        }
        let narrow = Block::of(&Network::parse("2001:db8::7").expect("a network")).expect("narrow enough");
        assert_eq!(narrow.network().to_string(), "2001:db8::/64");
        for wide in ["0.0.0.0/0", "10.0.0.0/7", "::/0", "2000::/15"] {
            assert_eq!(Block::of(&Network::parse(wide).expect("a network")), None, "{wide}");
        }
    }
}
