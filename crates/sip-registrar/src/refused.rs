use sip_message::HeaderName;

/// Why a REGISTER changes nothing. Knows its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It breaks the rules; the text says which.
    Malformed(&'static str),
    /// It requires extensions that we do not have (RFC 3261 section 8.2.2.3); their names.
    Extension(String),
    /// The address-of-record would have more bindings than [`crate::BINDINGS_PER_AOR_MAX`], or the request names too many contacts.
    TooManyContacts,
    /// A contact that calls would go round in circles to, or that no SIP request can be sent to (RFC 5627 section 5.1); the text says which.
    BadContact(&'static str),
    /// A flow of its own is wanted (RFC 5626 section 6), and the first hop on the way here does not keep it.
    FirstHopLacksOutbound,
    /// It wants to last less long than this many seconds (RFC 3261 section 10.3 step 7).
    TooBrief(u32),
    /// A binding was already changed by a later request of the same Call-ID, or by this very one (step 7).
    OutOfOrder,
    /// Others changed the same address-of-record each time that we tried.
    Contended,
    /// The store could not write it down.
    StoreFailed,
    /// There is no room for more bindings, or too many requests wait for the store.
    Full,
}

impl Refused {
    /// The status code of the answer. Never a 6xx (RFC 3261 section 10.3).
    pub fn status(&self) -> u16 {
        match self {
            Refused::Malformed(_) => 400,
            Refused::Extension(_) => 420,
            Refused::TooManyContacts | Refused::BadContact(_) => 403,
            Refused::FirstHopLacksOutbound => 439,
            Refused::TooBrief(_) => 423,
            Refused::OutOfOrder | Refused::Contended => 500,
            Refused::StoreFailed | Refused::Full => 503,
        }
    }

    /// The Reason-Phrase of the answer.
    pub fn reason(&self) -> &'static str {
        match self {
            Refused::Malformed(what) | Refused::BadContact(what) => what,
            Refused::FirstHopLacksOutbound => "First Hop Lacks Outbound Support",
            Refused::Extension(_) => "Bad Extension",
            Refused::TooManyContacts => "Too Many Contacts",
            Refused::TooBrief(_) => "Interval Too Brief",
            Refused::OutOfOrder => "CSeq Out Of Order",
            Refused::Contended => "Changed By Others Meanwhile",
            Refused::StoreFailed => "Store Failed",
            Refused::Full => "No Room For More Bindings",
        }
    }

    /// The header fields that the answer must have.
    pub fn fields(&self) -> Vec<(HeaderName, String)> {
        match self {
            Refused::Extension(names) => vec![(HeaderName::Unsupported, names.clone())],
            Refused::TooBrief(min_s) => vec![(HeaderName::MinExpires, min_s.to_string())],
            Refused::Contended => vec![(HeaderName::RetryAfter, "1".to_owned())],
            Refused::StoreFailed => vec![(HeaderName::RetryAfter, "10".to_owned())],
            Refused::Full => vec![(HeaderName::RetryAfter, "60".to_owned())],
            Refused::Malformed(_)
            | Refused::TooManyContacts
            | Refused::BadContact(_)
            | Refused::FirstHopLacksOutbound
            | Refused::OutOfOrder => Vec::new(),
        }
    }
}
