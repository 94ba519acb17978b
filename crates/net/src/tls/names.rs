use rustls_pki_types::ServerName;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// What a certificate says about whose it is. Its signature must have been checked by somebody else.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// Whether there is a subjectAltName at all, whatever is in it.
    has_alternatives: bool,
    uris: Vec<String>,
    domains: Vec<String>,
    addresses: Vec<IpAddr>,
    pub(super) common_name: Option<String>,
    /// Who signed it: the DER of a Name, without its head.
    pub(super) issuer: Vec<u8>,
    /// The last moment at which it is valid.
    pub(crate) not_after: Option<SystemTime>,
}

impl Names {
    /// Reads a certificate's DER (RFC 5280 section 4.1); `None` where it is none.
    pub(crate) fn of(certificate: &[u8]) -> Option<Names> {
        let mut names = Names::default();
        let mut fields = Der(Der(Der(certificate).take(SEQUENCE)?).take(SEQUENCE)?);
        fields.take(0xa0); // the version
        for kind in [INTEGER, SEQUENCE] {
            fields.take(kind)?; // serial number, signature algorithm
        }
        names.issuer = fields.take(SEQUENCE)?.to_vec();
        let mut validity = Der(fields.take(SEQUENCE)?);
        validity.next()?;
        names.not_after = validity.next().and_then(|(kind, text)| time(kind, text));
        names.common_name = common_name(fields.take(SEQUENCE)?);
        fields.take(SEQUENCE)?; // the public key
        while let Some((kind, value)) = fields.next() {
            if kind == 0xa3 {
                let mut extensions = Der(Der(value).take(SEQUENCE)?);
                while let Some(extension) = extensions.take(SEQUENCE) {
                    let mut extension = Der(extension);
                    let is_it = extension.take(OBJECT_IDENTIFIER)? == SUBJECT_ALT_NAME;
                    extension.take(BOOLEAN);
                    if is_it {
                        names.read_alternatives(Der(extension.take(OCTET_STRING)?).take(SEQUENCE)?);
                    }
                }
            }
        }
        Some(names)
    }

    fn read_alternatives(&mut self, value: &[u8]) {
        self.has_alternatives = true;
        let mut alternatives = Der(value);
        while let Some((kind, value)) = alternatives.next() {
            match (kind, std::str::from_utf8(value)) {
                (0x82, Ok(domain)) => self.domains.push(domain.to_owned()),
                (0x86, Ok(uri)) => self.uris.push(uri.to_owned()),
                (0x87, _) => self.addresses.extend(
                    <[u8; 4]>::try_from(value)
                        .map(IpAddr::from)
                        .or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)),
                ),
                _ => {}
            }
        }
    }

    /// The SIP domain identities (RFC 5922 section 7.1): of `sip:` URIs without a user, else of DNS names, and the common name only
    /// where there is no subjectAltName.
    fn identities(&self) -> Vec<&str> {
        let of_uris: Vec<&str> = self.uris.iter().filter_map(|uri| identity(uri)).collect();
        if !of_uris.is_empty() {
            return of_uris;
        }
        if self.has_alternatives {
            return self.domains.iter().map(String::as_str).collect();
        }
        self.common_name.as_deref().into_iter().collect()
    }

    /// Whether it is for `wanted`: a domain is compared whole, without regard to case, and wildcards are nothing but characters (RFC 5922
    /// section 7.2); an address must stand there as an address.
    pub(crate) fn are_for(&self, wanted: &ServerName<'_>) -> bool {
        match wanted {
            ServerName::DnsName(name) => {
                let bare = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
                let wanted = bare(name.as_ref());
                self.identities().iter().any(|identity| bare(identity) == wanted)
            }
            ServerName::IpAddress(address) => self.addresses.contains(&IpAddr::from(*address)),
            _ => false,
        }
    }

    /// Whether DNS names and addresses are these, in whatever order.
    pub(crate) fn are_exactly<'a>(&'a self, mut domains: Vec<&'a str>, mut addresses: Vec<IpAddr>) -> bool {
        let mut own: Vec<&str> = self.domains.iter().map(String::as_str).collect();
        let mut own_addresses = self.addresses.clone();
        for names in [&mut own, &mut domains] {
            names.sort_unstable();
            names.dedup();
        }
        for ips in [&mut own_addresses, &mut addresses] {
            ips.sort_unstable();
            ips.dedup();
        }
        (own, own_addresses) == (domains, addresses)
    }

    /// All that it proves to somebody who has to decide what to make of it: the domain identities, then `sip:` URIs as they stand there.
    pub(crate) fn proved(&self) -> Vec<String> {
        let identities = self.identities().into_iter().map(str::to_owned);
        identities.chain(self.uris.iter().filter(|uri| sip_part(uri).is_some()).cloned()).collect()
    }
}

/// What follows the scheme of a `sip:` URI.
fn sip_part(uri: &str) -> Option<&str> {
    uri.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("sip:"))?;
    uri.get(4..)
}

/// The host of a `sip:` URI that names no user.
fn identity(uri: &str) -> Option<&str> {
    let rest = sip_part(uri).filter(|rest| !rest.contains('@'))?;
    let host = rest.split([';', '?']).next()?;
    let host = host.rsplit_once(':').filter(|(host, _)| !host.contains(':')).map_or(host, |(host, _)| host);
    (!host.is_empty()).then_some(host)
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// What is left of a row of DER values.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value with its tag.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&kind, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((kind, value))
    }

    /// The next value, if it is of this kind; else it stays.
    fn take(&mut self, kind: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&kind) { self.next().map(|(_, value)| value) } else { None }
    }
}

/// Whether two names are one; `hint` comes with its head.
pub(super) fn is_name(issuer: &[u8], hint: &[u8]) -> bool {
    Der(hint).take(SEQUENCE) == Some(issuer)
}

/// The last common name of a subject.
fn common_name(subject: &[u8]) -> Option<String> {
    let mut found = None;
    let mut sets = Der(subject);
    while let Some(set) = sets.take(SET) {
        let mut pairs = Der(set);
        while let Some(pair) = pairs.take(SEQUENCE) {
            let mut pair = Der(pair);
            if pair.take(OBJECT_IDENTIFIER) == Some(COMMON_NAME) {
                found = pair.next().and_then(|(_, value)| String::from_utf8(value.to_vec()).ok());
            }
        }
    }
    found
}

/// A UTCTime or a GeneralizedTime as RFC 5280 section 4.1.2.5 writes them: to the second, in UTC. None before 1970 is of interest.
fn time(kind: u8, text: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(text).ok()?;
    let (year, rest) = match kind {
        0x17 => {
            let year: u64 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        0x18 => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<u64>().ok();
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    if rest.get(10..) != Some("Z") || !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let days = before + lengths.iter().take(month as usize - 1).sum::<u64>() + day - 1;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    fn names(common_name: &str, alternatives: Vec<SanType>) -> Names {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.subject_alt_names = alternatives;
        params.not_after = rcgen::date_time_ymd(2032, 3, 1);
        Names::of(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap()
    }

    fn dns(name: &str) -> SanType {
        SanType::DnsName(name.try_into().unwrap())
    }

    fn uri(uri: &str) -> SanType {
        SanType::URI(uri.try_into().unwrap())
    }

    fn is_for(names: &Names, wanted: &str) -> bool {
        names.are_for(&ServerName::try_from(wanted).unwrap())
    }

    #[test]
    fn a_sip_uri_without_a_user_comes_before_dns_names() {
        let both = names("cn.example", vec![dns("dns.example"), uri("SIP:Uri.example;x=1"), uri("sip:[2001:db8::1]")]);
        assert!(is_for(&both, "uri.example") && !is_for(&both, "dns.example") && !is_for(&both, "cn.example"));
        assert_eq!(both.proved(), ["Uri.example", "[2001:db8::1]", "SIP:Uri.example;x=1", "sip:[2001:db8::1]"]);
        let other =
            names("cn.example", vec![dns("dns.example"), uri("sip:bob@uri.example"), uri("https://web.example")]);
        assert!(is_for(&other, "DNS.example") && !is_for(&other, "uri.example") && !is_for(&other, "web.example"));
        assert_eq!(other.proved(), ["dns.example", "sip:bob@uri.example"]);
    }

    #[test]
    fn the_common_name_counts_only_where_there_is_no_alternative() {
        assert!(is_for(&names("cn.example", vec![]), "cn.example"));
        let address = vec![SanType::IpAddress("192.0.2.1".parse().unwrap())];
        assert!(!is_for(&names("cn.example", address), "cn.example"));
    }

    #[test]
    fn neither_wildcards_nor_suffixes_match() {
        let wild = names("x", vec![dns("*.example.com"), dns("example.org")]);
        assert!(!is_for(&wild, "foo.example.com") && !is_for(&wild, "foo.example.org"));
        assert!(is_for(&wild, "example.org") && is_for(&wild, "example.org."));
    }

    #[test]
    fn an_address_must_stand_there_as_an_address() {
        let v4 = names("192.0.2.1", vec![SanType::IpAddress("192.0.2.1".parse().unwrap())]);
        assert!(is_for(&v4, "192.0.2.1") && !is_for(&v4, "192.0.2.2"));
        let v6 = names("x", vec![SanType::IpAddress("2001:db8::1".parse().unwrap())]);
        assert!(is_for(&v6, "2001:db8::1"));
        assert!(!is_for(&names("192.0.2.1", vec![]), "192.0.2.1"));
    }

    #[test]
    fn the_end_is_read_to_the_second() {
        let at = |unix_s| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(unix_s));
        assert_eq!(names("x", vec![]).not_after, at(1_961_712_000));
        assert_eq!(time(0x17, b"700101000001Z"), at(1));
        assert_eq!(time(0x18, b"20500101000000Z"), at(2_524_608_000));
        for bad in [&b"7001010000Z"[..], b"701301000000Z", b"", b"70010100000xZ"] {
            assert_eq!(time(0x17, bad), None);
        }
    }

    #[test]
    fn what_is_cut_off_or_garbage_is_no_certificate() {
        let whole = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
        for length in 0..whole.der().len() {
            let _ = Names::of(&whole.der()[..length]);
            let mut bent = whole.der().to_vec();
            bent[length] ^= 0x81;
            let _ = Names::of(&bent);
        }
        assert_eq!(Names::of(b""), None);
        assert_eq!(Names::of(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
