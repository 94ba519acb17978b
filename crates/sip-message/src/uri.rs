use crate::text::{all, is_digits, kind, leading, split_once, trim_lws, unescape};
use crate::{BadValue, Params, Transport};
use memchr::{memchr, memchr2};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The scheme of a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// Any other, as written.
    Other(&'a str),
}

/// A host: a name or a literal address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host<'a> {
    /// A domain name, as written.
    Name(&'a str),
    /// An IPv4 literal.
    V4(Ipv4Addr),
    /// An IPv6 literal, written in brackets.
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// A host without a port.
    pub fn parse(text: &'a str) -> Result<Host<'a>, BadValue> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(BadValue("IPv6 address without closing bracket"))?;
            return inner.parse().or_else(|_| one_colon_less(inner)).map(Host::V6);
        }
        match leading_ipv4(text.as_bytes()) {
            Some((v4, end)) if end == text.len() => Ok(Host::V4(v4)),
            _ if text.is_empty() || !all(text.as_bytes(), kind::HOST) => Err(BadValue("bad host name")),
            _ => Ok(Host::Name(text)),
        }
    }

    /// The literal address, `None` for a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(v4) => Some(IpAddr::V4(*v4)),
            Host::V6(v6) => Some(IpAddr::V6(*v6)),
        }
    }

    /// Whether both are the same host: names in any case, addresses by value.
    pub fn same_as(&self, other: &Host<'_>) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.trim_end_matches('.').eq_ignore_ascii_case(b.trim_end_matches('.')),
            _ => self.ip().is_some() && self.ip() == other.ip(),
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(v4) => v4.fmt(f),
            Host::V6(v6) => write!(f, "[{v6}]"),
        }
    }
}

/// `2001:db8:::192.0.2.1`, which the grammar of RFC 3261 has for `2001:db8::192.0.2.1` (RFC 5118 section 4.10).
fn one_colon_less(text: &str) -> Result<Ipv6Addr, BadValue> {
    let bad = BadValue("bad IPv6 address");
    let (hexpart, v4) = text.split_once(":::").ok_or(bad)?;
    let v4: Ipv4Addr = v4.parse().map_err(|_| bad)?;
    format!("{hexpart}::{v4}").parse().map_err(|_| bad)
}

/// The IPv4 literal that `text` begins with, read as the standard library reads it in half the time, and where it ends.
fn leading_ipv4(text: &[u8]) -> Option<(Ipv4Addr, usize)> {
    let (mut address, mut at) = (0, 0);
    for nth in 0..4 {
        let (begin, mut octet) = (at, 0);
        while let Some(digit @ b'0'..=b'9') = text.get(at) {
            octet = octet * 10 + u32::from(digit - b'0');
            at += 1;
            if octet > 255 {
                return None;
            }
        }
        // 01 might be meant as octal.
        if at == begin || at - begin > 1 && text[begin] == b'0' {
            return None;
        }
        address = address << 8 | octet;
        if nth < 3 {
            text.get(at).filter(|byte| **byte == b'.')?;
            at += 1;
        }
    }
    Some((Ipv4Addr::from(address), at))
}

/// A port of one to five digits, which they are known to be.
fn port_number(digits: &[u8]) -> Option<u16> {
    if !(1..=5).contains(&digits.len()) {
        return None;
    }
    digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')).try_into().ok()
}

/// A host and perhaps a port, as most come, that `text` begins with, and where they end: a name or an IPv4 address, and nothing behind it
/// but parameters or headers. `None`: not as most come.
pub(crate) fn leading_host_port(text: &str) -> Option<(Host<'_>, Option<u16>, usize)> {
    let bytes = text.as_bytes();
    let (host, end) = match leading_ipv4(bytes) {
        Some((v4, end)) if matches!(bytes.get(end), None | Some(b':' | b';' | b'?')) => (Host::V4(v4), end),
        _ => {
            let end = leading(bytes, kind::HOST);
            (Host::Name(text.get(..end).filter(|name| !name.is_empty())?), end)
        }
    };
    match bytes.get(end) {
        None | Some(b';' | b'?') => Some((host, None, end)),
        Some(b':') => {
            let digits = leading(&bytes[end + 1..], kind::DIGIT);
            let port = port_number(&bytes[end + 1..end + 1 + digits])?;
            let end = end + 1 + digits;
            matches!(bytes.get(end), None | Some(b';' | b'?')).then_some((host, Some(port), end))
        }
        Some(_) => None,
    }
}

/// Splits `host[:port]`.
pub(crate) fn host_port(text: &str) -> Result<(Host<'_>, Option<u16>), BadValue> {
    if let Some((host, port, end)) = leading_host_port(text)
        && end == text.len()
    {
        return Ok((host, port));
    }
    let colon = match text.strip_prefix('[') {
        Some(inner) => inner.find(']').and_then(|end| text[end + 2..].find(':').map(|at| at + end + 2)),
        None => memchr(b':', text.as_bytes()),
    };
    let Some(colon) = colon else { return Ok((Host::parse(text)?, None)) };
    let (host, port) = (trim_lws(&text[..colon]), trim_lws(&text[colon + 1..]));
    if port.is_empty() || !is_digits(port) {
        return Err(BadValue("port is not a number"));
    }
    Ok((Host::parse(host)?, Some(port.parse().map_err(|_| BadValue("port is above 65535"))?)))
}

/// A URI of RFC 3261 section 19.1, seen in the text that holds it.
///
/// For a scheme other than `sip` and `sips`, `user` holds everything behind the colon up to the parameters and `host` is empty.
#[derive(Debug, Clone, Copy)]
pub struct Uri<'a> {
    /// The scheme.
    pub scheme: Scheme<'a>,
    /// The user part, still escaped.
    pub user: Option<&'a str>,
    /// The password, still escaped. Nobody should send one.
    pub password: Option<&'a str>,
    /// The host.
    pub host: Host<'a>,
    /// The port, when written.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
    /// What follows the question mark.
    pub headers: &'a str,
}

impl<'a> Uri<'a> {
    /// Parses a URI that stands alone (a Request-URI, or what stands between `<` and `>`).
    pub fn parse(text: &'a str) -> Result<Uri<'a>, BadValue> {
        match text.strip_prefix("sip:").and_then(Uri::usual) {
            Some(uri) => Ok(uri),
            None => Uri::parse_any(text),
        }
    }

    /// What most look like behind `sip:`, read in one pass: a user without a password, a host that is no IPv6 address, parameters.
    fn usual(text: &'a str) -> Option<Uri<'a>> {
        let info = leading(text.as_bytes(), kind::USER);
        let (user, rest) = match text.as_bytes().get(info) {
            Some(b'@') => (Some(&text[..info]), &text[info + 1..]),
            Some(_) => return None,
            None => (None, text),
        };
        if user.is_some_and(|user| user.is_empty() || user.bytes().any(|byte| byte == b':')) {
            return None;
        }
        let (host, port, end) = leading_host_port(rest)?;
        let params = &rest[end..];
        if !params.is_empty() && (params.bytes().any(|byte| byte == b'?') || !all(params.as_bytes(), kind::URI)) {
            return None;
        }
        Some(Uri { scheme: Scheme::Sip, user, password: None, host, port, params: Params::new(params), headers: "" })
    }

    fn parse_any(text: &'a str) -> Result<Uri<'a>, BadValue> {
        let (scheme, rest) = match text.strip_prefix("sip:") {
            Some(rest) => ("sip", rest), // as most are
            None => split_once(text, b':').ok_or(BadValue("URI without a scheme"))?,
        };
        let scheme = match scheme {
            "sip" => Scheme::Sip,
            s if s.eq_ignore_ascii_case("sip") => Scheme::Sip,
            s if s.eq_ignore_ascii_case("sips") => Scheme::Sips,
            s if s.eq_ignore_ascii_case("tel") => Scheme::Tel,
            s if !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) => {
                Scheme::Other(s)
            }
            _ => return Err(BadValue("bad URI scheme")),
        };
        if !all(rest.as_bytes(), kind::URI) {
            return Err(BadValue("space or bracket inside a URI"));
        }
        if !matches!(scheme, Scheme::Sip | Scheme::Sips) {
            let end = rest.find(';').unwrap_or(rest.len());
            let (user, params) = rest.split_at(end);
            if user.is_empty() {
                return Err(BadValue("empty URI"));
            }
            return Ok(Uri {
                scheme,
                user: Some(user),
                password: None,
                host: Host::Name(""),
                port: None,
                params: Params::new(params),
                headers: "",
            });
        }
        let (user, password, rest) = match split_once(rest, b'@') {
            Some((info, rest)) => {
                let colon = info.bytes().position(|b| b == b':');
                let (user, password) = colon.map_or((info, None), |at| (&info[..at], Some(&info[at + 1..])));
                // The password's colon is of the same kind.
                if user.is_empty() || !all(info.as_bytes(), kind::USER) {
                    return Err(BadValue("bad user part in a URI"));
                }
                (Some(user), password, rest)
            }
            None => (None, None, rest),
        };
        let (host, rest) = rest.split_at(memchr2(b';', b'?', rest.as_bytes()).unwrap_or(rest.len()));
        let (params, headers) = split_once(rest, b'?').unwrap_or((rest, ""));
        let (host, port) = host_port(host)?;
        Ok(Uri { scheme, user, password, host, port, params: Params::new(params), headers })
    }

    /// The value of a parameter, still escaped; `""` for one without a value. Its name may be escaped in the URI.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.get(name).or_else(|| {
            let escaped = memchr(b'%', self.params.as_str().as_bytes()).is_some();
            let mut params = escaped.then(|| self.params.iter())?;
            let found = params.find(|(found, _)| unescape(found).eq_ignore_ascii_case(name.as_bytes()));
            found.map(|(_, value)| value.unwrap_or(""))
        })
    }

    /// The transport that the URI asks for: its parameter, or TLS for `sips:`; `None` when it leaves the choice.
    pub fn transport(&self) -> Option<Transport> {
        match (self.param("transport").and_then(Transport::parse), self.scheme) {
            (None | Some(Transport::Tcp), Scheme::Sips) => Some(Transport::Tls),
            (asked, _) => asked,
        }
    }

    /// The user part without escapes.
    pub fn user_unescaped(&self) -> String {
        String::from_utf8_lossy(&unescape(self.user.unwrap_or(""))).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_uri() {
        let uri = Uri::parse("sip:alice:pw@[2001:db8::1]:5070;transport=TCP;lr?subject=x&to=y").unwrap();
        assert_eq!((uri.user, uri.password, uri.port), (Some("alice"), Some("pw"), Some(5070)));
        assert_eq!(uri.host, Host::V6("2001:db8::1".parse().unwrap()));
        assert_eq!((uri.transport(), uri.param("lr"), uri.headers), (Some(Transport::Tcp), Some(""), "subject=x&to=y"));
        let uri = Uri::parse("sips:1.2.3.4").unwrap();
        assert_eq!(
            (uri.host, uri.user, uri.transport()),
            (Host::V4(Ipv4Addr::new(1, 2, 3, 4)), None, Some(Transport::Tls))
        );
        assert_eq!(Uri::parse("tel:+1-201-555-0123;phone-context=x").unwrap().user, Some("+1-201-555-0123"));
    }

    #[test]
    fn addresses_are_those_of_the_standard_library() {
        for text in [
            "1.2.3.4",
            "0.0.0.0",
            "255.255.255.255",
            "256.1.1.1",
            "01.2.3.4",
            "1.2.3",
            "1.2.3.4.5",
            "1..2.3",
            ".1.2.3",
            "1.2.3.00",
            "1234.1.1.1",
            "a",
            "",
        ] {
            let whole = leading_ipv4(text.as_bytes()).filter(|(_, end)| *end == text.len());
            assert_eq!(whole.map(|(address, _)| address), text.parse().ok(), "{text}");
        }
        for (text, port) in [
            ("h:1", Some(1)),
            ("h:065535", Some(65_535)),
            ("h : 5060", Some(5060)),
            ("h:65536", None),
            ("h:", None),
            (":1", None),
        ] {
            assert_eq!(host_port(text).ok().and_then(|(_, port)| port), port, "{text}");
        }
    }

    /// The examples of RFC 3261 section 19.1.3, and the escaped user of 19.1.2.
    #[test]
    fn examples_of_section_19_1_3() {
        let parse = |text| Uri::parse(text).unwrap();
        let uri = parse("sip:alice@atlanta.com");
        assert_eq!(
            (uri.user, uri.password, uri.host, uri.port),
            (Some("alice"), None, Host::Name("atlanta.com"), None)
        );
        let uri = parse("sip:alice:secretword@atlanta.com;transport=tcp");
        assert_eq!((uri.user, uri.password, uri.param("transport")), (Some("alice"), Some("secretword"), Some("tcp")));
        let uri = parse("sips:alice@atlanta.com?subject=project%20x&priority=urgent");
        assert_eq!((uri.scheme, uri.headers), (Scheme::Sips, "subject=project%20x&priority=urgent"));
        let uri = parse("sip:+1-212-555-1212:1234@gateway.com;user=phone");
        let phone = (Some("+1-212-555-1212"), Some("1234"), Some("phone"));
        assert_eq!((uri.user, uri.password, uri.param("user")), phone);
        assert_eq!(parse("sips:1212@gateway.com").user, Some("1212"));
        assert_eq!(parse("sip:alice@192.0.2.4").host, Host::V4(Ipv4Addr::new(192, 0, 2, 4)));
        let uri = parse("sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com");
        assert_eq!((uri.user, uri.param("method"), uri.headers), (None, Some("REGISTER"), "to=alice%40atlanta.com"));
        assert_eq!(parse("sip:alice;day=tuesday@atlanta.com").user, Some("alice;day=tuesday"));
        assert_eq!(parse("sip:j%40s0n@example.com").user_unescaped(), "j@s0n");
        let uri = parse("sip:alice@atlanta.com;maddr=239.255.255.1;ttl=15;lr");
        let multicast = (Some("239.255.255.1"), Some("15"), Some(""));
        assert_eq!((uri.param("maddr"), uri.param("ttl"), uri.param("lr")), multicast);
        assert!(Uri::parse("sip:alice@atl%61nta.com").is_err(), "no escapes in a host");
    }

    #[test]
    fn what_is_no_uri() {
        for bad in [
            "",
            "alice",
            "sip:",
            "sip:@host",
            "sip:a b@host",
            "sip:a@host:port",
            "sip:a@host:70000",
            "sip:a@[::1",
            "sip:a@ho<st",
            "1 2:x",
        ] {
            assert!(Uri::parse(bad).is_err(), "{bad}");
        }
    }
}
