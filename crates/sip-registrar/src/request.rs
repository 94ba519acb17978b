use crate::binding::Parts;
use crate::{Binding, Config, Refused};
use engine::Now;
use sip_message::{Contacts, HeaderName, Message, NameAddr, unfold};
use sip_transaction::Flow;
use std::borrow::Cow;
use std::fmt::Write;

/// Contacts that one REGISTER may name; one with more gets 403.
pub const CONTACTS_PER_REQUEST_MAX: usize = 20;

/// What a REGISTER's sender wants, as far as that is known without the bindings there are.
#[derive(Debug)]
pub(crate) enum Wish {
    /// To know the bindings (RFC 3261 section 10.2.3).
    Query,
    /// To have none any more (`Contact: *`).
    RemoveAll { call_id: Box<str>, cseq: u32 },
    /// To add, refresh or remove some.
    Update(Vec<Update>),
}

#[derive(Debug)]
pub(crate) struct Update {
    /// The contact is to stand as this...
    pub(crate) binding: Binding,
    /// ... or to be gone.
    pub(crate) remove: bool,
}

impl Wish {
    /// Reads a REGISTER that came over `flow`.
    pub(crate) fn of(config: &Config, now: Now, request: &Message, flow: Flow) -> Result<Wish, Refused> {
        check_required(request)?;
        let malformed = |bad: sip_message::BadValue| Refused::Malformed(bad.0);
        let cseq = request.cseq().map_err(malformed)?.number;
        let contacts = match request.contacts().map_err(malformed)? {
            Contacts::List(contacts) => contacts,
            Contacts::Star if request.expires() == Some(0) => {
                return Ok(Wish::RemoveAll { call_id: request.call_id().into(), cseq });
            }
            Contacts::Star => return Err(Refused::Malformed("Contact is a star and Expires is not 0")),
        };
        if contacts.is_empty() {
            return Ok(Wish::Query);
        }
        if contacts.len() > CONTACTS_PER_REQUEST_MAX {
            return Err(Refused::TooManyContacts);
        }
        let common = Common {
            call_id: request.call_id(),
            cseq,
            user_agent: unfold(request.header(HeaderName::UserAgent).unwrap_or("")),
            path: path_of(request),
            header_expires_s: request.header(HeaderName::Expires).map(|_| request.expires()),
            flow,
        };
        contacts.iter().map(|contact| common.update(config, now, contact)).collect::<Result<_, _>>().map(Wish::Update)
    }
}

/// What all updates of one request have in common.
struct Common<'a> {
    call_id: &'a str,
    cseq: u32,
    user_agent: Cow<'a, str>,
    path: String,
    /// The Expires header field: `Some(None)` when it is there and no number.
    header_expires_s: Option<Option<u32>>,
    flow: Flow,
}

impl Common<'_> {
    fn update(&self, config: &Config, now: Now, contact: &NameAddr<'_>) -> Result<Update, Refused> {
        contact.uri_parsed().map_err(|bad| Refused::Malformed(bad.0))?;
        let requested_s = match contact.params.get("expires") {
            Some(_) => Some(contact.expires()),
            None => self.header_expires_s,
        };
        // RFC 3261 section 10.2: what is no number stands for an hour.
        let requested_s = requested_s.map_or(config.default_expires_s, |seconds| seconds.unwrap_or(3600));
        let granted_s = match requested_s {
            0 => 0,
            brief if brief < config.min_expires_s && brief < 3600 => {
                return Err(Refused::TooBrief(config.min_expires_s.min(3600)));
            }
            long => long.min(config.max_expires_s),
        };
        let parts = Parts {
            contact: contact.uri,
            params: &params_kept(contact),
            call_id: self.call_id,
            user_agent: &self.user_agent,
            path: &self.path,
            q: contact.q().map_err(|bad| Refused::Malformed(bad.0))?,
            cseq: self.cseq,
            expires_at_s: u32::try_from(now.unix_s() + u64::from(granted_s)).unwrap_or(u32::MAX),
            flow: self.flow,
        };
        let binding = Binding::new(parts).ok_or(Refused::Malformed("Contact, Call-ID or Path is too long"))?;
        Ok(Update { binding, remove: granted_s == 0 })
    }
}

/// RFC 3261 section 8.2.2.3; Path (RFC 3327) is all that we have.
fn check_required(request: &Message) -> Result<(), Refused> {
    let strange: Vec<&str> = request
        .values(HeaderName::Require)
        .filter(|option| !option.is_empty() && !option.eq_ignore_ascii_case("path"))
        .collect();
    if strange.is_empty() { Ok(()) } else { Err(Refused::Extension(unfold(&strange.join(", ")).into_owned())) }
}

/// The Contact's parameters that outlive the request. `expires` and `q` are kept as numbers.
fn params_kept(contact: &NameAddr<'_>) -> String {
    let mut kept = String::new();
    for (name, value) in contact.params.iter() {
        if name.eq_ignore_ascii_case("expires") || name.eq_ignore_ascii_case("q") || name.is_empty() {
            continue;
        }
        let _ = write!(kept, ";{}", unfold(name));
        if let Some(value) = value {
            let _ = write!(kept, "={}", unfold(value));
        }
    }
    kept
}

fn path_of(request: &Message) -> String {
    let mut path = String::new();
    for value in request.fields(HeaderName::Path) {
        if !path.is_empty() {
            path.push_str(", ");
        }
        path.push_str(&unfold(value));
    }
    path
}
