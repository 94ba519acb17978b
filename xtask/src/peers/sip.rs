//! SIP as text: as much of it as a telephone needs that exists to be checked against, not to be right about everything.

use md5::{Digest, Md5};

/// A message that came.
pub(crate) struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// What is no SIP message has no status and no fields.
    pub(crate) fn new(message: &'a str) -> Self {
        Self(message)
    }

    /// Of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.0.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// Of a request, or of the one that a response is to (its CSeq).
    pub(crate) fn method(&self) -> &'a str {
        self.first("CSeq").and_then(|cseq| cseq.split_whitespace().nth(1)).unwrap_or_default()
    }

    /// The number in its CSeq.
    pub(crate) fn cseq(&self) -> u32 {
        self.first("CSeq").and_then(|cseq| cseq.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn call_id(&self) -> &'a str {
        self.first("Call-ID").unwrap_or_default()
    }

    /// The value of the first field of this name.
    pub(crate) fn first(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// The values of all fields of this name, each as long as its line.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        let fields = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        let named = fields.filter(move |(field, _)| field.trim_end().eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim())
    }

    /// The lines of these fields, as they are, for an answer or for a request within the dialog.
    pub(crate) fn copied(&self, names: &[&str]) -> String {
        let lines = names.iter().flat_map(|name| self.all(name).map(move |value| format!("{name}: {value}\r\n")));
        lines.collect()
    }

    /// An answer to this request: what it repeats, and then `more` lines. `tag` is added to To where it has none.
    pub(crate) fn answer(&self, status: &str, tag: &str, more: &str) -> String {
        let to = self.first("To").unwrap_or_default();
        let tag = if to.contains(";tag=") { String::new() } else { format!(";tag={tag}") };
        let copied = self.copied(&["Via", "Record-Route", "From", "Call-ID", "CSeq"]);
        format!("SIP/2.0 {status}\r\n{copied}To: {to}{tag}\r\n{more}Content-Length: 0\r\n\r\n")
    }

    /// The URI of its Contact.
    pub(crate) fn contact_uri(&self) -> &'a str {
        let value = self.first("Contact").unwrap_or_default();
        value.split_once('<').and_then(|(_, rest)| rest.split('>').next()).unwrap_or(value)
    }
}

/// A REGISTER of `user` at `exchange` from `ip`:5060, one of a kind by its number; `more` are further lines, Contact among them.
pub(crate) fn register(exchange: &str, user: &str, ip: &str, number: u32, more: &str) -> String {
    format!(
        "REGISTER sip:{exchange} SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:5060;branch=z9hG4bKr{user}{number};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@{exchange}>;tag=1\r\nTo: <sip:{user}@{exchange}>\r\nCall-ID: {user}@{ip}\r\nCSeq: {} REGISTER\r\n\
         {more}Content-Length: 0\r\n\r\n",
        number + 1
    )
}

/// A request within a dialog, along its route; `from` and `to` are whole values.
pub(crate) fn in_dialog(
    method: &str,
    own: &str,
    target: &str,
    routes: &[String],
    (from, to): (&str, &str),
    id: &str,
    number: u32,
) -> Vec<u8> {
    let routes: String = routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
    format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {own};rport;branch=z9hG4bK{method}{}\r\nMax-Forwards: 70\r\n{routes}\
         From: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n",
        id.split('@').next().unwrap_or_default()
    )
    .into_bytes()
}

/// A Digest challenge (RFC 2617 with `qop=auth`, RFC 3261 section 22).
#[derive(Clone)]
pub(crate) struct Challenge {
    pub(crate) realm: String,
    pub(crate) nonce: String,
}

impl Challenge {
    /// The one in a 401.
    pub(crate) fn of(response: &Text<'_>) -> Option<Self> {
        let value = response.first("WWW-Authenticate")?;
        let parameter = |name: &str| {
            let (_, rest) = value.split_once(&format!("{name}=\""))?;
            rest.split('"').next().map(str::to_owned)
        };
        Some(Self { realm: parameter("realm")?, nonce: parameter("nonce")? })
    }

    /// The value of the Authorization field that answers it for the `count`-th time.
    pub(crate) fn answer(&self, user: &str, password: &str, method: &str, uri: &str, count: u32) -> String {
        let Self { realm, nonce } = self;
        let secret = hex(&format!("{user}:{realm}:{password}"));
        let proof = hex(&format!("{secret}:{nonce}:{count:08x}:torment:auth:{}", hex(&format!("{method}:{uri}"))));
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{proof}\", \
             algorithm=MD5, cnonce=\"torment\", qop=auth, nc={count:08x}"
        )
    }
}

/// The MD5 of a text in hexadecimal digits.
pub(crate) fn hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_apart() {
        let text = "SIP/2.0 401 Unauthorized\r\nVia: a\r\nVia: b\r\nCSeq: 7 REGISTER\r\n\
                    WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\nContact: \"x\" <sip:x@y>;q=1\r\n\r\nVia: c";
        let message = Text::new(text);
        assert_eq!((message.status(), message.method(), message.cseq()), (Some(401), "REGISTER", 7));
        assert_eq!(message.copied(&["Via"]), "Via: a\r\nVia: b\r\n");
        assert_eq!(message.contact_uri(), "sip:x@y");
        assert_eq!(Challenge::of(&message).map(|it| (it.realm, it.nonce)), Some(("r".into(), "n".into())));
    }

    /// The example of RFC 2617 section 3.5, with our client nonce.
    #[test]
    fn a_secret_is_what_the_rfc_says() {
        assert_eq!(hex("Mufasa:testrealm@host.com:Circle Of Life"), "939e7578ed9e3c518a452acee763bce9");
    }
}
