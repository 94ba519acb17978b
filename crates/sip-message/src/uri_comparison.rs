use crate::text::unescape_unreserved;
use crate::{Host, Scheme, TelephoneNumber, Uri};

/// Parameters that, standing in one URI only, make the two differ.
const TELLING: [&str; 5] = ["transport", "user", "ttl", "method", "maddr"];

impl Uri<'_> {
    /// Whether both are the same: by RFC 3261 section 19.1.4 for `sip:` and `sips:`, which are never equivalent to each other; by RFC 3966
    /// section 4 for `tel:`.
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        match (self.scheme, other.scheme) {
            (Scheme::Sip, Scheme::Sip) | (Scheme::Sips, Scheme::Sips) => self.same_sip(other),
            (Scheme::Tel, Scheme::Tel) => match (TelephoneNumber::of(self), TelephoneNumber::of(other)) {
                (Some(ours), Some(theirs)) => ours == theirs,
                _ => self.same_opaque(other),
            },
            (Scheme::Other(a), Scheme::Other(b)) => a.eq_ignore_ascii_case(b) && self.same_opaque(other),
            _ => false,
        }
    }

    fn same_sip(&self, other: &Uri<'_>) -> bool {
        same_user(self.user, other.user)
            && same_user(self.password, other.password)
            && same_host(&self.host, &other.host)
            && self.port == other.port
            && TELLING.iter().all(|name| self.param(name).is_some() == other.param(name).is_some())
            && self.params.iter().all(|(name, value)| {
                let name = unescape_unreserved(name);
                other.param(&name).is_none_or(|theirs| {
                    unescape_unreserved(value.unwrap_or("")).eq_ignore_ascii_case(&unescape_unreserved(theirs))
                })
            })
            && same_headers(self.headers, other.headers)
    }

    /// What we know no rules for is compared as it is written.
    fn same_opaque(&self, other: &Uri<'_>) -> bool {
        self.user == other.user && self.params.as_str() == other.params.as_str()
    }
}

fn same_user(a: Option<&str>, b: Option<&str>) -> bool {
    a == b || matches!((a, b), (Some(a), Some(b)) if unescape_unreserved(a) == unescape_unreserved(b))
}

fn same_host(a: &Host<'_>, b: &Host<'_>) -> bool {
    a == b || a.same_as(b)
}

/// Header parts of two URIs agree when each has what the other has, in any order.
fn same_headers(a: &str, b: &str) -> bool {
    let parts = |text: &str| {
        let mut parts: Vec<(String, String)> = text
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(name, value)| (name.to_ascii_lowercase(), unescape_unreserved(value).into_owned()))
            .collect();
        parts.sort();
        parts
    };
    a == b || parts(a) == parts(b)
}

#[cfg(test)]
mod tests {
    use crate::Uri;

    fn check(same: bool, a: &str, b: &str) {
        let (a, b) = (Uri::parse(a).unwrap(), Uri::parse(b).unwrap());
        assert_eq!((a.equivalent(&b), b.equivalent(&a)), (same, same), "{a:?} {b:?}");
    }

    /// The sets of RFC 3261 section 19.1.4 that are equivalent.
    #[test]
    fn equivalent_uris_of_section_19_1_4() {
        check(true, "sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp");
        check(true, "sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5");
        check(true, "sip:carol@chicago.com", "sip:carol@chicago.com;security=on");
        check(true, "sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on");
        check(
            true,
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        );
        check(
            true,
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        );
    }

    /// The sets of RFC 3261 section 19.1.4 that are not equivalent.
    #[test]
    fn different_uris_of_section_19_1_4() {
        check(false, "SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP");
        check(false, "sip:bob@biloxi.com", "sip:bob@biloxi.com:5060");
        check(false, "sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp");
        check(false, "sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp");
        check(false, "sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting");
        check(false, "sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4");
    }

    /// Equality is not transitive.
    #[test]
    fn the_three_carols_of_section_19_1_4() {
        check(true, "sip:carol@chicago.com", "sip:carol@chicago.com;security=on");
        check(true, "sip:carol@chicago.com", "sip:carol@chicago.com;security=off");
        check(false, "sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off");
    }

    /// The rules of RFC 3261 section 19.1.4 that its examples leave out.
    #[test]
    fn rules_of_section_19_1_4_without_examples() {
        check(false, "sip:a@h", "sips:a@h");
        check(false, "sip:a@h", "sip:h");
        check(false, "sip:a:pw@h", "sip:a@h");
        check(false, "sip:a:pw@h", "sip:a:PW@h");
        check(true, "sip:a:%70w@h", "sip:a:pw@h");
        for telling in ["user=ip", "ttl=1", "method=INVITE", "maddr=h", "transport=udp"] {
            check(false, "sip:a@h", &format!("sip:a@h;{telling}"));
        }
        check(true, "sip:a@h;lr", "sip:a@h");
        check(true, "sip:a@h;%6Cr=ON", "sip:a@h;lr=on");
        check(false, "sip:a@h?x=y", "sip:a@h?x=z");
        check(false, "sip:a@h?x=y", "sip:a@h?x=y&x=y");
        check(true, "sip:a@h?X=y", "sip:a@h?x=%79");
        // Of the reserved characters, the escaped one is another.
        check(false, "sip:a%3Bb@h", "sip:a;b@h");
        check(true, "sip:a%3bb@h", "sip:a%3Bb@h");
        check(true, "sip:%7Ea@h", "sip:~a@h");
        check(true, "sip:a@[2001:db8::0:1]", "sip:a@[2001:DB8::1]");
        check(false, "sip:a@[::ffff:192.0.2.1]", "sip:a@192.0.2.1");
        check(true, "sip:a@example.com.", "sip:a@example.com");
        check(true, "urn:service:sos", "URN:service:sos");
        check(false, "urn:service:sos", "urn:service:sos.fire");
    }
}
