use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};

/// How well a destination suits the address that we would send from: the less, the better (RFC 6724 section 6, rules 1, 2, 5, 6 and 8, by
/// the default policy table). `source` is `None` where no route leads.
pub(super) fn distaste(destination: IpAddr, source: Option<IpAddr>) -> impl Ord {
    let (precedence, label) = policy(destination);
    let unlike = |ours: fn(IpAddr) -> u8, theirs: u8| source.is_none_or(|source| ours(source) != theirs);
    (
        source.is_none(),
        unlike(scope, scope(destination)),
        unlike(|source| policy(source).1, label),
        Reverse(precedence),
        scope(destination),
    )
}

/// The precedence and the label of an address (RFC 6724 section 2.1).
fn policy(ip: IpAddr) -> (u8, u8) {
    const TABLE: [(Ipv6Addr, u32, u8, u8); 8] = [
        (Ipv6Addr::LOCALHOST, 128, 50, 0),
        (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, 35, 4),
        (Ipv6Addr::UNSPECIFIED, 96, 1, 3),
        (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, 5, 5),
        (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 30, 2),
        (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, 1, 12),
        (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, 1, 11),
        (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, 3, 13),
    ];
    let bits = as_v6(ip).to_bits();
    let fits = |(prefix, length, ..): &&(Ipv6Addr, u32, u8, u8)| (bits ^ prefix.to_bits()).leading_zeros() >= *length;
    TABLE.iter().find(fits).map_or((40, 1), |&(_, _, precedence, label)| (precedence, label))
}

/// How far an address is heard: the numbers of RFC 4007, RFC 6724 section 3.2 for IPv4.
fn scope(ip: IpAddr) -> u8 {
    const LINK: u8 = 2;
    const SITE: u8 = 5;
    const GLOBAL: u8 = 14;
    match ip {
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_link_local() => LINK,
        IpAddr::V6(ip) if ip.is_loopback() || ip.is_unicast_link_local() => LINK,
        IpAddr::V6(ip) if ip.segments()[0] & 0xffc0 == 0xfec0 => SITE,
        IpAddr::V4(_) | IpAddr::V6(_) => GLOBAL,
    }
}

fn as_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sorts destinations, each with the source that the routes choose for it ("-": none).
    #[track_caller]
    fn check(pairs: &[(&str, &str)], expected: &[&str]) {
        let mut pairs: Vec<(IpAddr, Option<IpAddr>)> =
            pairs.iter().map(|(to, from)| (to.parse().unwrap(), from.parse().ok())).collect();
        pairs.sort_by_key(|(to, from)| distaste(*to, *from));
        let sorted: Vec<String> = pairs.iter().map(|(to, _)| to.to_string()).collect();
        assert_eq!(sorted, expected);
    }

    /// The examples of RFC 6724 section 10.2 for these rules, with addresses of documentation.
    #[test]
    fn destinations_are_preferred_as_rfc_6724_has_it() {
        let (v6, v4) = ("2001:db8:1::1", "198.51.100.121");
        check(&[(v4, "198.51.100.117"), (v6, "2001:db8:1::2")], &[v6, v4]); // higher precedence
        check(&[(v6, "fe80::1"), (v4, "198.51.100.117")], &[v4, v6]); // matching scope
        check(&[(v6, "-"), (v4, "198.51.100.117")], &[v4, v6]); // no route: unusable
        check(&[("2002:c633:6401::1", "2002:c633:6401::2"), (v6, "2002:c633:6401::2")], &["2002:c633:6401::1", v6]); // matching label
        check(&[(v6, "2001:db8:1::2"), ("fe80::1", "fe80::2")], &["fe80::1", v6]); // smaller scope
        check(&[("127.0.0.1", "127.0.0.1"), ("::1", "::1")], &["::1", "127.0.0.1"]);
    }

    #[test]
    fn equals_stay_as_dns_gave_them() {
        check(&[("192.0.2.22", "192.0.2.1"), ("192.0.2.21", "192.0.2.1")], &["192.0.2.22", "192.0.2.21"]);
    }
}
