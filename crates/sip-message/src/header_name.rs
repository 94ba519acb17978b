use std::fmt;

macro_rules! header_names {
    ($($variant:ident = $text:literal $(, $compact:literal)?;)*) => {
        /// The name of a header field that we know, in whichever form it was written, or `Other`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = $text] $variant,)*
            /// A field that we do not know; its name is in the message.
            Other,
        }

        impl HeaderName {
            /// Every name that we know.
            pub const ALL: &'static [HeaderName] = &[$(HeaderName::$variant),*];
            const TEXTS: &'static [&'static str] = &[$($text),*];

            /// The full name on the wire; "" for [`HeaderName::Other`].
            pub fn as_str(self) -> &'static str {
                Self::TEXTS.get(self as usize).copied().unwrap_or("")
            }

            fn from_compact(letter: u8) -> HeaderName {
                match letter {
                    $($($compact => HeaderName::$variant,)?)*
                    _ => HeaderName::Other,
                }
            }
        }
    };
}

header_names! {
    Accept = "Accept";
    AcceptContact = "Accept-Contact", b'a';
    AcceptEncoding = "Accept-Encoding";
    AcceptLanguage = "Accept-Language";
    AcceptResourcePriority = "Accept-Resource-Priority";
    AlertInfo = "Alert-Info";
    Allow = "Allow";
    AllowEvents = "Allow-Events", b'u';
    AuthenticationInfo = "Authentication-Info";
    Authorization = "Authorization";
    CallId = "Call-ID", b'i';
    CallInfo = "Call-Info";
    Contact = "Contact", b'm';
    ContentDisposition = "Content-Disposition";
    ContentEncoding = "Content-Encoding", b'e';
    ContentLanguage = "Content-Language";
    ContentLength = "Content-Length", b'l';
    ContentType = "Content-Type", b'c';
    CSeq = "CSeq";
    Date = "Date";
    Diversion = "Diversion";
    ErrorInfo = "Error-Info";
    Event = "Event", b'o';
    Expires = "Expires";
    FlowTimer = "Flow-Timer";
    From = "From", b'f';
    HistoryInfo = "History-Info";
    Identity = "Identity", b'y';
    InReplyTo = "In-Reply-To";
    InfoPackage = "Info-Package";
    Join = "Join";
    MaxBreadth = "Max-Breadth";
    MaxForwards = "Max-Forwards";
    MimeVersion = "MIME-Version";
    MinExpires = "Min-Expires";
    MinSe = "Min-SE";
    Organization = "Organization";
    PAccessNetworkInfo = "P-Access-Network-Info";
    PAssertedIdentity = "P-Asserted-Identity";
    PAssociatedUri = "P-Associated-URI";
    PPreferredIdentity = "P-Preferred-Identity";
    Path = "Path";
    Priority = "Priority";
    Privacy = "Privacy";
    ProxyAuthenticate = "Proxy-Authenticate";
    ProxyAuthorization = "Proxy-Authorization";
    ProxyRequire = "Proxy-Require";
    RAck = "RAck";
    Reason = "Reason";
    RecvInfo = "Recv-Info";
    RecordRoute = "Record-Route";
    ReferSub = "Refer-Sub";
    ReferTo = "Refer-To", b'r';
    ReferredBy = "Referred-By", b'b';
    RejectContact = "Reject-Contact", b'j';
    Replaces = "Replaces";
    RemotePartyId = "Remote-Party-ID";
    ReplyTo = "Reply-To";
    RequestDisposition = "Request-Disposition", b'd';
    Require = "Require";
    ResourcePriority = "Resource-Priority";
    RetryAfter = "Retry-After";
    Route = "Route";
    RSeq = "RSeq";
    SecurityClient = "Security-Client";
    SecurityServer = "Security-Server";
    SecurityVerify = "Security-Verify";
    Server = "Server";
    ServiceRoute = "Service-Route";
    SessionExpires = "Session-Expires", b'x';
    SessionId = "Session-ID";
    SipEtag = "SIP-ETag";
    SipIfMatch = "SIP-If-Match";
    Subject = "Subject", b's';
    SubscriptionState = "Subscription-State";
    Supported = "Supported", b'k';
    SuppressIfMatch = "Suppress-If-Match";
    TargetDialog = "Target-Dialog";
    Timestamp = "Timestamp";
    To = "To", b't';
    Unsupported = "Unsupported";
    UserAgent = "User-Agent";
    Via = "Via", b'v';
    Warning = "Warning";
    WwwAuthenticate = "WWW-Authenticate";
}

/// Place in [`SLOTS`] of a name: chosen so that no two known names share one (checked when this is compiled).
const fn slot(name: &[u8]) -> usize {
    let n = name.len();
    (n * 501 + letter_at(name, 0) * 107 + letter_at(name, n - 1) * 118 + letter_at(name, n / 2) * 429) & 511
}

/// The letter in lower case; what is no letter may become another one, which the comparison that follows tells apart.
const fn letter_at(name: &[u8], i: usize) -> usize {
    (name[i] | 0x20) as usize
}

/// Whether two names of at least two letters are written alike: two comparisons of a word each where `==` would be a call.
fn alike(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && match a.len() {
            8..=16 => a.first_chunk::<8>() == b.first_chunk() && a.last_chunk::<8>() == b.last_chunk(),
            4..=7 => a.first_chunk::<4>() == b.first_chunk() && a.last_chunk::<4>() == b.last_chunk(),
            _ => a == b,
        }
}

const SLOTS: [u8; 512] = {
    let mut slots = [u8::MAX; 512];
    let mut i = 0;
    while i < HeaderName::TEXTS.len() {
        let at = slot(HeaderName::TEXTS[i].as_bytes());
        assert!(slots[at] == u8::MAX, "two header names share a slot: choose other multipliers");
        slots[at] = i as u8;
        i += 1;
    }
    slots
};

impl HeaderName {
    /// The name written as `name`, in any case, full or compact (RFC 3261 section 7.3.3).
    pub fn from_bytes(name: &[u8]) -> HeaderName {
        match name {
            [] => HeaderName::Other,
            [letter] => HeaderName::from_compact(letter.to_ascii_lowercase()),
            _ => {
                let index = SLOTS[slot(name)] as usize;
                match HeaderName::TEXTS.get(index) {
                    // Nearly everybody writes them as the RFCs do.
                    Some(text) if alike(text.as_bytes(), name) || text.as_bytes().eq_ignore_ascii_case(name) => {
                        HeaderName::ALL[index]
                    }
                    _ => HeaderName::Other,
                }
            }
        }
    }

    /// The bits (`1 << name`) of the fields of which a message may hold only one, with one value (RFC 3261 section 7.3.1 and table 2).
    pub(crate) const SINGLE: u128 = {
        let single = [
            Self::CallId,
            Self::CSeq,
            Self::From,
            Self::To,
            Self::MaxForwards,
            Self::ContentLength,
            Self::ContentType,
            Self::Expires,
            Self::Date,
            Self::Event,
            Self::MinExpires,
            Self::ReferTo,
            Self::Replaces,
            Self::RAck,
            Self::RSeq,
            Self::SessionExpires,
            Self::MinSe,
            Self::MaxBreadth,
            Self::Timestamp,
        ];
        let (mut bits, mut i) = (0, 0);
        while i < single.len() {
            bits |= 1 << single[i] as u8;
            i += 1;
        }
        bits
    };
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::HeaderName;

    #[test]
    fn every_name_is_found_in_any_case_and_form() {
        for name in HeaderName::ALL {
            let text = name.as_str();
            for written in [text.to_owned(), text.to_lowercase(), text.to_uppercase()] {
                assert_eq!(HeaderName::from_bytes(written.as_bytes()), *name, "{written}");
            }
        }
        for (compact, name) in
            // The registry of IANA, but for Identity-Info (n), which RFC 8224 took away.
            [
                ("v", "Via"),
                ("F", "From"),
                ("t", "To"),
                ("m", "Contact"),
                ("i", "Call-ID"),
                ("l", "Content-Length"),
                ("a", "Accept-Contact"),
                ("b", "Referred-By"),
                ("c", "Content-Type"),
                ("d", "Request-Disposition"),
                ("e", "Content-Encoding"),
                ("j", "Reject-Contact"),
                ("k", "Supported"),
                ("o", "Event"),
                ("r", "Refer-To"),
                ("s", "Subject"),
                ("u", "Allow-Events"),
                ("x", "Session-Expires"),
                ("Y", "Identity"),
            ]
        {
            assert_eq!(HeaderName::from_bytes(compact.as_bytes()).as_str(), name);
        }
        for unknown in ["", "z", "X-Via", "Viaa", "Vib"] {
            assert_eq!(HeaderName::from_bytes(unknown.as_bytes()), HeaderName::Other, "{unknown}");
        }
    }
}
