use sip_message::{BadValue, HeaderName, Message, Method, Scheme, Uri};

/// A request that a proxy must not forward, and the answer it earns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Something that we must read to forward it cannot be read (RFC 3261 section 16.3 item 1).
    Malformed(BadValue),
    /// A method that we do not know, and CSeq names another (RFC 4475 section 3.1.2.18).
    UnknownMethod,
    /// A Request-URI whose scheme we do not know, or cannot keep the promise of (item 2).
    UnknownScheme,
    /// No hops left (item 3).
    TooManyHops,
    /// An extension in Proxy-Require that we do not have (item 5).
    BadExtension,
}

impl Refused {
    /// The status code of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Refused::Malformed(_) => 400,
            Refused::UnknownMethod => 501,
            Refused::UnknownScheme => 416,
            Refused::TooManyHops => 483,
            Refused::BadExtension => 420,
        }
    }

    /// The Reason-Phrase, when the usual one does not say enough.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Refused::Malformed(BadValue(text)) => Some(text),
            Refused::UnknownMethod | Refused::UnknownScheme | Refused::TooManyHops | Refused::BadExtension => None,
        }
    }
}

/// What was read of a request on the way, so that nobody needs to read it again.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'m> {
    /// The Request-URI.
    pub uri: Uri<'m>,
    /// That of To.
    pub to: Uri<'m>,
}

/// Checks what RFC 3261 section 16.3 has a proxy check before it forwards a request.
///
/// Loops (item 4) are looked for when it is known where the request goes; Proxy-Authorization (item 6) and domains are the parent's, who
/// knows users. `tls` says whether there is a transport with TLS here, without which a `sips` URI is one of a scheme that we do not know.
pub fn validate(request: &Message, tls: bool) -> Result<Checked<'_>, Refused> {
    let from = request.from().map_err(Refused::Malformed)?;
    let to = request.to().map_err(Refused::Malformed)?;
    from.uri_parsed().map_err(Refused::Malformed)?;
    let to = to.uri_parsed().map_err(Refused::Malformed)?;
    let via = request.top_via().map_err(Refused::Malformed)?;
    if !via.params.well_formed() {
        return Err(Refused::Malformed(BadValue("bad parameter in a Via")));
    }
    let cseq = request.cseq().map_err(Refused::Malformed)?;
    if cseq.method_text != request.method_text() {
        let mismatch = Refused::Malformed(BadValue("CSeq names another method than the request line"));
        return Err(if request.method() == Method::Other { Refused::UnknownMethod } else { mismatch });
    }
    if request.call_id().is_empty() {
        return Err(Refused::Malformed(BadValue("Call-ID is empty")));
    }
    let uri = request.request_uri_parsed().map_err(Refused::Malformed)?;
    if !uri.headers.is_empty() {
        // They must not go on (RFC 3261 section 19.1.1 table 1, RFC 4475 section 3.1.2.11).
        return Err(Refused::Malformed(BadValue("Request-URI has header fields in it")));
    }
    match uri.scheme {
        Scheme::Sip | Scheme::Tel => {}
        // It promises TLS on every hop (RFC 3261 section 26.2.2).
        Scheme::Sips if tls => {}
        Scheme::Sips | Scheme::Other(_) => return Err(Refused::UnknownScheme),
    }
    let hops = request.max_forwards().map_err(Refused::Malformed)?;
    if hops == Some(0) && request.method() != Method::Options && request.method() != Method::Register {
        return Err(Refused::TooManyHops);
    }
    if request.values(HeaderName::ProxyRequire).any(|tag| !tag.is_empty()) {
        return Err(Refused::BadExtension);
    }
    Ok(Checked { uri, to })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// What a request with this method and Request-URI, and with these fields in the place of the usual ones, is answered with.
    fn check(method: &str, uri: &str, fields: &[&str], tls: bool) -> u16 {
        let usual = ["From: <sip:a@a>;tag=1", "To: <sip:b@b>", "Call-ID: 1", "CSeq: 1 METHOD"];
        let name = |field: &str| field.split(':').next().unwrap_or("").to_owned();
        let mut text = format!("{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n");
        let kept = usual.iter().filter(|field| !fields.iter().any(|other| name(other) == name(field)));
        for field in kept.chain(fields) {
            text += &format!("{}\r\n", field.replace("METHOD", method));
        }
        let message = Message::parse(Bytes::from(text + "\r\n")).expect("well-formed enough to be read");
        validate(&message, tls).map_or_else(|refused| refused.status(), |_| 0)
    }

    /// RFC 3261 section 16.3, item by item.
    #[test]
    fn what_is_checked_before_forwarding() {
        for (method, uri, fields, status) in [
            ("INVITE", "sip:b@b", [].as_slice(), 0),
            // 1: what must be read can be read; what nobody here reads may be anything.
            ("INVITE", "sip:b@b", &["From: <nonsense>;tag=1"], 400),
            ("INVITE", "sip:b@b", &["To: <sip:b@b"], 400),
            ("INVITE", "sip:b@b", &["CSeq: 1 BYE"], 400),
            ("INVITE", "sip:b@b", &["Call-ID:"], 400),
            ("INVITE", "sip:b@b:port", &[], 400),
            ("INVITE", "sip:b@b", &["Contact: <nonsense", "Expires: soon", "X: \"y"], 0),
            ("FLY", "sip:b@b", &[], 0),
            // 2: schemes.
            ("INVITE", "tel:+1234", &[], 0),
            ("INVITE", "mailto:b@b", &[], 416),
            // 3: Max-Forwards.
            ("INVITE", "sip:b@b", &["Max-Forwards: 1"], 0),
            ("INVITE", "sip:b@b", &["Max-Forwards: 0"], 483),
            ("OPTIONS", "sip:b@b", &["Max-Forwards: 0"], 0),
            ("INVITE", "sip:b@b", &["Max-Forwards: many"], 400),
            // 5: Proxy-Require.
            ("INVITE", "sip:b@b", &["Proxy-Require: foo"], 420),
            ("INVITE", "sip:b@b", &["Require: foo"], 0),
        ] {
            assert_eq!(check(method, uri, fields, false), status, "{method} {uri} {fields:?}");
        }
    }

    /// Section 26.2.2: without TLS nobody can keep the promise of a `sips` URI.
    #[test]
    fn sips_needs_tls_here() {
        assert_eq!((check("INVITE", "sips:b@b", &[], false), check("INVITE", "sips:b@b", &[], true)), (416, 0));
    }
}
