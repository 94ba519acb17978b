use crate::HeaderName as N;
use crate::{HeaderName, Method};
use Where::{Any, Copied, Request, Response, Statuses};

/// In which messages a rule holds (the column "where" of RFC 3261 section 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// Every request and response (an empty entry).
    Any,
    /// Requests (`R`).
    Request,
    /// Responses (`r`, and `rc` where they copy it from the request).
    Response,
    /// Every request, and every response, which copies it (`c`).
    Copied,
    /// Responses with a status in one of these ranges.
    Statuses(&'static [(u16, u16)]),
}

impl Where {
    /// Whether it means messages of this status, 0 for a request.
    pub fn holds(self, status: u16) -> bool {
        match self {
            Any | Copied => true,
            Request => status == 0,
            Response => status != 0,
            Statuses(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&status)),
        }
    }
}

/// Whether a field is to be there (the columns of the methods in RFC 3261 section 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// `m`: it must.
    Mandatory,
    /// `m*`: it should, and its absence is lived with.
    Should,
    /// `o`
    Optional,
    /// `t`: it should, and over a stream it must.
    OverStreams,
    /// `*`: it must if there is a body.
    WithBody,
    /// `c`: it depends on what is going on.
    Conditional,
    /// `-`: it must not.
    NotApplicable,
}

/// What proxies may do with a field (the column "proxy" of RFC 3261 section 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyMay(&'static str);

impl ProxyMay {
    /// `a`: add it, or a value of it.
    pub fn add(self) -> bool {
        self.0.contains('a')
    }

    /// `m`: change a value.
    pub fn modify(self) -> bool {
        self.0.contains('m')
    }

    /// `d`: take a value away.
    pub fn delete(self) -> bool {
        self.0.contains('d')
    }

    /// `r`: it must be able to read it.
    pub fn read(self) -> bool {
        self.0.contains('r')
    }
}

/// One row of the header tables.
#[derive(Debug, Clone, Copy)]
pub struct HeaderRule {
    /// The field.
    pub name: HeaderName,
    /// In which messages.
    pub place: Where,
    /// What a proxy may do.
    pub proxy: ProxyMay,
    presence: [Presence; COLUMNS.len()],
}

impl HeaderRule {
    /// Whether the field is to be there with this method. With a method that we do not know anything may be there, and must what
    /// every method demands.
    pub fn presence(&self, method: Method) -> Presence {
        match COLUMNS.iter().position(|column| *column == method) {
            Some(column) => self.presence[column],
            None if self.presence.iter().all(|presence| *presence == Presence::Mandatory) => Presence::Mandatory,
            None => Presence::Optional,
        }
    }

    /// The rows about a field; none about one that no table has.
    pub fn of(name: HeaderName) -> impl Iterator<Item = &'static HeaderRule> {
        HEADER_RULES.iter().filter(move |rule| rule.name == name)
    }
}

/// The columns: the six of RFC 3261, and the eight that came later.
const COLUMNS: [Method; 14] = [
    Method::Ack,
    Method::Bye,
    Method::Cancel,
    Method::Invite,
    Method::Options,
    Method::Register,
    Method::Prack,
    Method::Update,
    Method::Info,
    Method::Refer,
    Method::Subscribe,
    Method::Notify,
    Method::Publish,
    Method::Message,
];

const fn row(name: HeaderName, place: Where, proxy: &'static str, columns: &str) -> HeaderRule {
    let text = columns.as_bytes();
    let mut presence = [Presence::NotApplicable; COLUMNS.len()];
    let (mut column, mut i) = (0, 0);
    while i < text.len() {
        let starred = i + 1 < text.len() && text[i + 1] == b'*';
        let found = match text[i] {
            b'm' if starred => Presence::Should,
            b'm' => Presence::Mandatory,
            b'o' => Presence::Optional,
            b't' => Presence::OverStreams,
            b'*' => Presence::WithBody,
            b'c' => Presence::Conditional,
            b'-' => Presence::NotApplicable,
            _ => {
                i += 1;
                continue;
            }
        };
        presence[column] = found;
        column += 1;
        i += if starred { 2 } else { 1 };
    }
    assert!(column == COLUMNS.len(), "a row has too few columns");
    HeaderRule { name, place, proxy: ProxyMay(proxy), presence }
}

/// Tables 2 and 3 of RFC 3261 section 20, the columns that RFC 3262 (PRACK), 3265 (SUBSCRIBE, NOTIFY), 3311 (UPDATE), 3428 (MESSAGE), 3515
/// (REFER) and 3903 (PUBLISH) added to them, and the rows of those and of RFC 3323, 3325 with 5876, 3326 with 6432, 3327, 3329, 3608,
/// 3841, 3891, 3892, 3911, 4028, 4412, 4488, 4538, 5393, 5626, 5806, 5839, 6086, 7044, 7315 and 7989. RFC 6086 has no column for INFO: it is that of RFC 2976,
/// with what RFC 3261 added to all methods since.
///
/// The columns: ACK BYE CANCEL INVITE OPTIONS REGISTER | PRACK UPDATE INFO REFER SUBSCRIBE NOTIFY PUBLISH MESSAGE.
#[rustfmt::skip]
pub const HEADER_RULES: &[HeaderRule] = &[
    row(N::Accept, Request, "", "- o - o m* o | o o o o o o o -"),
    row(N::Accept, Statuses(&[(200, 299)]), "", "- - - o m* o | - o - - - - - -"),
    row(N::Accept, Statuses(&[(415, 415)]), "", "- c - c c c | c c c c o o m* m*"),
    row(N::AcceptContact, Request, "ar", "o o o o o - | o o o o o o o o"),
    row(N::AcceptEncoding, Request, "", "- o - o o o | o o o o o o o -"),
    row(N::AcceptEncoding, Statuses(&[(200, 299)]), "", "- - - o m* o | - o - - - - - -"),
    row(N::AcceptEncoding, Statuses(&[(415, 415)]), "", "- c - c c c | c c c c o o m* m*"),
    row(N::AcceptLanguage, Request, "", "- o - o o o | o o o o o o o -"),
    row(N::AcceptLanguage, Statuses(&[(200, 299)]), "", "- - - o m* o | - o - - - - - -"),
    row(N::AcceptLanguage, Statuses(&[(415, 415)]), "", "- c - c c c | c c c c o o m* m*"),
    row(N::AcceptResourcePriority, Statuses(&[(200, 200), (417, 417)]), "amdr", "- o o o o o | o o o o o o o o"),
    row(N::AlertInfo, Request, "ar", "- - - o - - | - - - - - - - -"),
    row(N::AlertInfo, Statuses(&[(180, 180)]), "ar", "- - - o - - | - - - - - - - -"),
    row(N::Allow, Request, "", "- o - o o o | o o o o o o o o"),
    row(N::Allow, Statuses(&[(200, 299)]), "", "- o - m* m* o | o o o o o o o o"),
    row(N::Allow, Response, "", "- o - o o o | o o o o o o o o"),
    row(N::Allow, Statuses(&[(405, 405)]), "", "- m - m m m | m m m m m m m m"),
    row(N::AllowEvents, Request, "", "o o - o o o | o - o o o o o o"),
    row(N::AllowEvents, Statuses(&[(200, 299)]), "", "- o - o o o | o - o o o o o o"),
    row(N::AllowEvents, Statuses(&[(489, 489)]), "", "- - - - - - | - - - - m m m -"),
    row(N::AuthenticationInfo, Statuses(&[(200, 299)]), "", "- o - o o o | o o o o o o o o"),
    row(N::Authorization, Request, "", "o o o o o o | o o o o o o o o"),
    row(N::CallId, Copied, "r", "m m m m m m | m m m m m m m m"),
    row(N::CallInfo, Any, "ar", "- - - o o o | - o - - - - o o"),
    row(N::Contact, Request, "", "o - - m o o | - m o m m m - -"),
    row(N::Contact, Statuses(&[(100, 199)]), "", "- - - o - - | - o - - o o - -"),
    row(N::Contact, Statuses(&[(200, 299)]), "", "- - - m o o | - m - m m o - -"),
    row(N::Contact, Statuses(&[(300, 399)]), "d", "- o - o o o | o o o o m m o o"),
    row(N::Contact, Statuses(&[(485, 485)]), "", "- o - o o o | o o o o o o o o"),
    row(N::ContentDisposition, Any, "", "o o - o o o | o o o o o o o o"),
    row(N::ContentEncoding, Any, "", "o o - o o o | o o o o o o o o"),
    row(N::ContentLanguage, Any, "", "o o - o o o | o o o o o o o o"),
    row(N::ContentLength, Any, "ar", "t t t t t t | t t t o t t t t"),
    row(N::ContentType, Any, "", "* * - * * * | * * * * * * * *"),
    row(N::CSeq, Copied, "r", "m m m m m m | m m m m m m m m"),
    row(N::Date, Any, "a", "o o o o o o | o o o o o o o o"),
    row(N::Diversion, Request, "a", "- - - o - - | - - - - - - - -"),
    row(N::Diversion, Statuses(&[(300, 399)]), "a", "- - - o - - | - - - - - - - -"),
    row(N::ErrorInfo, Statuses(&[(300, 699)]), "a", "- o o o o o | o o o o o o o o"),
    row(N::Event, Request, "", "- - - - - - | - - - - m m m -"),
    row(N::Expires, Any, "", "- - - o - o | - - o o o - o o"),
    row(N::Expires, Statuses(&[(200, 299)]), "", "- - - o - o | - - o o m - m o"),
    row(N::FlowTimer, Statuses(&[(200, 299)]), "a", "- - - - - o | - - - - - - - -"),
    row(N::From, Copied, "r", "m m m m m m | m m m m m m m m"),
    row(N::HistoryInfo, Any, "amdr", "- - - o o o | - - - o o o o o"),
    row(N::InfoPackage, Request, "", "- - - - - - | - - m* - - - - -"),
    row(N::InReplyTo, Request, "", "- - - o - - | - - - - - - - o"),
    row(N::Join, Request, "", "- - - o - - | - - - - - - - -"),
    row(N::MaxBreadth, Request, "amr", "o o o o o o | o o o o o o o o"),
    row(N::MaxForwards, Request, "amr", "m m m m m m | m m m m m m m m"),
    row(N::MimeVersion, Any, "", "o o - o o o | o o o o o o o o"),
    row(N::MinExpires, Statuses(&[(423, 423)]), "", "- - - - - m | - - - - m - m -"),
    row(N::MinSe, Request, "amr", "- - - o - - | - o - - - - - -"),
    row(N::MinSe, Statuses(&[(422, 422)]), "", "- - - m - - | - m - - - - - -"),
    row(N::Organization, Any, "ar", "- - - o o o | - o o o o - o o"),
    row(N::PAccessNetworkInfo, Request, "dr", "- o - o o o | o o o o o o o o"),
    row(N::PAccessNetworkInfo, Response, "dr", "- o - o o o | o o o o o o o o"),
    row(N::PAssertedIdentity, Any, "adr", "- o - o o o | o o o o o o o o"),
    row(N::PAssociatedUri, Statuses(&[(200, 299)]), "", "- - - - - o | - - - - - - - -"),
    row(N::PPreferredIdentity, Request, "adr", "- o - o o o | o o o o o o o o"),
    row(N::Path, Request, "ar", "- - - - - o | - - - - - - - -"),
    row(N::Path, Statuses(&[(200, 299)]), "", "- - - - - o | - - - - - - - -"),
    row(N::Priority, Request, "ar", "- - - o - - | - - o - o - o o"),
    row(N::Privacy, Any, "amrd", "o o o o o o | o o o o o o o o"),
    row(N::ProxyAuthenticate, Statuses(&[(407, 407)]), "ar", "- m - m m m | m m m m m m m m"),
    row(N::ProxyAuthenticate, Statuses(&[(401, 401)]), "ar", "- o o o o o | o o o o o o o o"),
    row(N::ProxyAuthorization, Request, "dr", "o o - o o o | o o o o o o o o"),
    row(N::ProxyRequire, Request, "ar", "- o - o o o | o o o o o o o o"),
    row(N::RAck, Request, "", "- - - - - - | m - - - - - - -"),
    row(N::Reason, Request, "", "o o o o o - | o o o o o o - -"),
    row(N::Reason, Response, "", "- o o o o o | o o o o o o o o"),
    row(N::RecordRoute, Request, "ar", "o o o o o - | o o o o o o - -"),
    row(N::RecordRoute, Statuses(&[(200, 299), (180, 189)]), "mr", "- o o o o - | o o o o o o - -"),
    row(N::RecordRoute, Statuses(&[(401, 401), (484, 484)]), "mr", "- - - - - - | - - - - o o - -"),
    row(N::RecvInfo, Request, "", "- - - c - o | o o - - - - - -"),
    row(N::RecvInfo, Statuses(&[(100, 199)]), "", "- - - o - - | - - - - - - - -"),
    row(N::RecvInfo, Statuses(&[(200, 299)]), "", "- - - o - - | o o - - - - - -"),
    row(N::RecvInfo, Statuses(&[(469, 469)]), "", "- - - - - - | - - m* - - - - -"),
    row(N::RecvInfo, Response, "", "- - - o - - | o o - - - - - -"),
    row(N::ReferSub, Request, "", "- - - - - - | - - - o - - - -"),
    row(N::ReferSub, Statuses(&[(200, 299)]), "", "- - - - - - | - - - o - - - -"),
    row(N::ReferTo, Request, "", "- - - - - - | - - - m - - - -"),
    row(N::ReferredBy, Request, "", "- o - o o o | o o o o o o o o"),
    row(N::RejectContact, Request, "ar", "o o o o o - | o o o o o o o o"),
    row(N::Replaces, Request, "", "- - - o - - | - - - - - - - -"),
    row(N::ReplyTo, Any, "", "- - - o - - | - - - - - - - o"),
    row(N::RequestDisposition, Request, "ar", "o o o o o o | o o o o o o o o"),
    row(N::Require, Any, "ar", "- c - c c c | c c c c o o o c"),
    row(N::ResourcePriority, Request, "amdr", "o o o o o o | o o o o o o o o"),
    row(N::RetryAfter, Statuses(&[(404, 404), (413, 413), (480, 480), (486, 486), (500, 500), (503, 503), (600, 600), (603, 603)]), "", "- o o o o o | o o o o o o o o"),
    row(N::Route, Request, "adr", "c c c c c c | c c c c c c c o"),
    row(N::RSeq, Statuses(&[(100, 199)]), "", "- - - o - - | - - - - o o - -"),
    row(N::SecurityClient, Request, "ard", "- o - o o o | - o o o o o o o"),
    row(N::SecurityServer, Statuses(&[(421, 421), (494, 494)]), "", "- o - o o o | - o o o o o o o"),
    row(N::SecurityVerify, Request, "ard", "- o - o o o | - o o o o o o o"),
    row(N::Server, Response, "", "- o o o o o | o o o o o o o o"),
    row(N::ServiceRoute, Statuses(&[(200, 299)]), "ar", "- - - - - o | - - - - - - - -"),
    row(N::SessionExpires, Request, "amr", "- - - o - - | - o - - - - - -"),
    row(N::SessionExpires, Statuses(&[(200, 299)]), "ar", "- - - o - - | - o - - - - - -"),
    row(N::SessionId, Any, "amr", "o o o o o o | o o o o o o o o"),
    row(N::SipEtag, Statuses(&[(200, 299)]), "", "- - - - - - | - - - - - o m -"),
    row(N::SipIfMatch, Request, "", "- - - - - - | - - - - - - o -"),
    row(N::Subject, Request, "", "- - - o - - | - - o - - - o o"),
    row(N::SubscriptionState, Request, "", "- - - - - - | - - - - - m - -"),
    row(N::Supported, Request, "", "- o o m* o o | o o o o o o o o"),
    row(N::Supported, Statuses(&[(200, 299)]), "", "- o o m* m* o | o o o o o o o o"),
    row(N::SuppressIfMatch, Request, "", "- - - - - - | - - - - o - - -"),
    row(N::TargetDialog, Request, "", "- - - o - - | - - - o o - - -"),
    row(N::Timestamp, Any, "", "o o o o o o | o o o o o o o o"),
    row(N::To, Copied, "r", "m m m m m m | m m m m m m m m"),
    row(N::Unsupported, Statuses(&[(420, 420)]), "", "- m - m m m | m m o o o o o o"),
    row(N::UserAgent, Any, "", "o o o o o o | o o o o o o o o"),
    row(N::Via, Request, "amr", "m m m m m m | m m m m m m m m"),
    row(N::Via, Response, "dr", "m m m m m m | m m m m m m m m"),
    row(N::Warning, Request, "", "- - - - - - | - - - - - o - -"),
    row(N::Warning, Response, "", "- o o o o o | o o o o o o o o"),
    row(N::WwwAuthenticate, Statuses(&[(401, 401)]), "ar", "- m - m m m | m m m m m m m m"),
    row(N::WwwAuthenticate, Statuses(&[(407, 407)]), "ar", "- o - o o o | o o o o o o o o"),
];
