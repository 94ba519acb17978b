use sip_message::{Scheme, Uri, unescape};

/// Whether the digest's `uri` and the Request-URI stand for one resource (RFC 7616 section 3.4.6).
///
/// RFC 8760 section 2.6 item 6 lets a SIP server accept URIs that differ, and it must be lenient: clients write the same
/// target with and without port, parameters and `sips`, some (sipp) name the server's address and no user, and a NAT that
/// "helps" SIP puts its own idea of an address into the Request-URI alone. But whoever catches a request must not reach
/// somebody else with its proof. So where both name a user it must be one user, and where both name a host by name, one host.
pub(crate) fn same_target(digest_uri: &str, request_uri: &str) -> bool {
    if digest_uri == request_uri {
        return true;
    }
    let (Ok(a), Ok(b)) = (Uri::parse(digest_uri), Uri::parse(request_uri)) else { return false };
    let sip = |uri: &Uri<'_>| matches!(uri.scheme, Scheme::Sip | Scheme::Sips);
    sip(&a)
        && sip(&b)
        && a.user.zip(b.user).is_none_or(|(a, b)| unescape(a) == unescape(b))
        && (a.host.same_as(&b.host) || a.host.ip().is_some() || b.host.ip().is_some())
}

#[cfg(test)]
mod tests {
    use super::same_target;

    #[test]
    fn which_targets_are_one() {
        let same = [
            ("sip:101@pbx.example", "sip:101@pbx.example"),
            ("sip:101@pbx.example", "sip:101@PBX.example:5070;transport=tcp"),
            ("sips:%3101@pbx.example", "sip:101@pbx.example"),
            ("sip:pbx.example", "sip:pbx.example.:5060"),
            ("sip:101@203.0.113.7", "sip:101@192.168.1.5"),
            ("sip:101@pbx.example", "sip:101@192.168.1.5"),
            ("sip:192.168.1.5:5060", "sip:101@192.168.1.5"),
        ];
        let different = [
            ("sip:101@pbx.example", "sip:102@pbx.example"),
            ("sip:other.example", "sip:102@pbx.example"),
            ("sip:101@pbx.example", "sip:101@other.example"),
            ("sip:101@pbx.example", "tel:101"),
            ("", "sip:101@pbx.example"),
            ("/index.html", "sip:101@pbx.example"),
        ];
        for (a, b) in same {
            assert!(same_target(a, b) && same_target(b, a), "{a} {b}");
        }
        for (a, b) in different {
            assert!(!same_target(a, b) && !same_target(b, a), "{a} {b}");
        }
    }
}
