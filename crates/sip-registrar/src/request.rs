use crate::binding::Parts;
use crate::binding::instance_of;
use crate::outbound::{keeps_reg_id, knows};
use crate::{AddressOfRecord, Binding, Config, Refused};
use engine::Now;
use sip_message::{Contacts, HeaderName, Message, NameAddr, Params, Scheme, Uri, unfold};
use sip_transaction::Flow;
use std::borrow::Cow;

/// Contacts that one REGISTER may name; one with more gets 403.
pub const CONTACTS_PER_REQUEST_MAX: usize = 20;

/// A REGISTER, read.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) wish: Wish,
    /// Whether the phone knows GRUUs (RFC 5627 section 5.2).
    pub(crate) gruu: bool,
    /// Whether it is told that its flow is kept apart (RFC 5626 section 6).
    pub(crate) outbound: bool,
}

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

impl Asked {
    /// Reads a REGISTER for `aor` that came over `flow`. `epoch` is for what begins with it.
    pub(crate) fn of(
        config: &Config,
        now: Now,
        aor: &AddressOfRecord,
        request: &Message,
        flow: Flow,
        epoch: impl FnOnce() -> u32,
    ) -> Result<Asked, Refused> {
        check_required(request)?;
        let gruu = config.gruus.is_some() && knows(request, "gruu");
        let mut asked = Asked { wish: Wish::Query, gruu, outbound: false };
        let malformed = |bad: sip_message::BadValue| Refused::Malformed(bad.0);
        let cseq = request.cseq().map_err(malformed)?.number;
        let contacts = match request.contacts().map_err(malformed)? {
            Contacts::List(contacts) => contacts,
            Contacts::Star if request.expires() == Some(0) => {
                asked.wish = Wish::RemoveAll { call_id: request.call_id().into(), cseq };
                return Ok(asked);
            }
            Contacts::Star => return Err(Refused::Malformed("Contact is a star and Expires is not 0")),
        };
        if contacts.is_empty() {
            return Ok(asked);
        }
        if contacts.len() > CONTACTS_PER_REQUEST_MAX {
            return Err(Refused::TooManyContacts);
        }
        let common = Common {
            aor,
            request,
            call_id: request.call_id(),
            cseq,
            user_agent: unfold(request.header(HeaderName::UserAgent).unwrap_or("")),
            path: path_of(request)?,
            header_expires_s: request.header(HeaderName::Expires).map(|_| request.expires()),
            flow,
        };
        let mut updates: Vec<Update> =
            contacts.iter().map(|contact| common.update(config, now, contact)).collect::<Result<_, _>>()?;
        let stay = || updates.iter().filter(|update| !update.remove);
        let flows = stay().filter(|update| update.binding.reg_id().is_some()).count();
        if flows > 0 && stay().count() > 1 {
            return Err(Refused::Malformed("reg-id beside another Contact")); // RFC 5626 section 6
        }
        asked.outbound = flows > 0 && knows(request, "outbound");
        if updates.iter().any(|update| update.binding.instance().is_some()) {
            let epoch = epoch();
            updates = updates
                .into_iter()
                .map(|Update { binding, remove }| Update { binding: binding.with_epoch(epoch), remove })
                .collect();
        }
        asked.wish = Wish::Update(updates);
        Ok(asked)
    }
}

/// What all updates of one request have in common.
struct Common<'a> {
    aor: &'a AddressOfRecord,
    request: &'a Message,
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
        let uri = contact.uri_parsed().map_err(|bad| Refused::Malformed(bad.0))?;
        let there = There::among(contact.params);
        let instance = if there.kept { instance_of(contact.params) } else { None };
        let with_reg_id = there.kept && keeps_reg_id(self.request, contact.params, instance.is_some())?;
        let requested_s = if there.expires { Some(contact.expires()) } else { self.header_expires_s };
        // RFC 3261 section 10.2: what is no number stands for an hour.
        let requested_s = requested_s.map_or(config.default_expires_s, |seconds| seconds.unwrap_or(3600));
        let granted_s = match requested_s {
            0 => 0,
            brief if brief < config.min_expires_s && brief < 3600 => {
                return Err(Refused::TooBrief(config.min_expires_s.min(3600)));
            }
            long => long.min(config.max_expires_s),
        };
        if instance.is_some() && granted_s > 0 {
            self.check_contact(config, &uri)?;
        }
        let parts = Parts {
            contact: contact.uri,
            params: &if there.kept { params_kept(contact, with_reg_id) } else { String::new() },
            call_id: self.call_id,
            user_agent: &self.user_agent,
            path: &self.path,
            q: if there.q { contact.q().map_err(|bad| Refused::Malformed(bad.0))? } else { 1000 },
            cseq: self.cseq,
            expires_at_s: u32::try_from(now.unix_s() + u64::from(granted_s)).unwrap_or(u32::MAX),
            flow: self.flow,
        };
        let binding = Binding::new(parts).ok_or(Refused::Malformed("Contact, Call-ID or Path is too long"))?;
        Ok(Update { binding, remove: granted_s == 0 })
    }

    /// RFC 5627 section 5.1.
    fn check_contact(&self, config: &Config, uri: &Uri<'_>) -> Result<(), Refused> {
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) {
            return Err(Refused::BadContact("Contact Is No SIP URI"));
        }
        let own = |uri: &Uri<'_>| AddressOfRecord::of(uri).ok().filter(|aor| aor == self.aor);
        let telling = ["transport", "user", "ttl", "method", "maddr"];
        if own(uri).is_some() && uri.port.is_none() && telling.iter().all(|name| uri.param(name).is_none()) {
            return Err(Refused::BadContact("Contact Is The Address-Of-Record"));
        }
        let gruu = config.gruus.and_then(|gruus| gruus.resolve(uri, own));
        if gruu.is_some_and(|gruu| gruu.aor == *self.aor) {
            return Err(Refused::BadContact("Contact Is A GRUU"));
        }
        Ok(())
    }
}

/// Which parameters a Contact has, found out in one pass: most have `expires` or nothing.
#[derive(Default)]
struct There {
    expires: bool,
    q: bool,
    /// Any that may be kept.
    kept: bool,
}

impl There {
    fn among(params: Params<'_>) -> There {
        let mut there = There::default();
        for (name, _) in params.iter() {
            if name.eq_ignore_ascii_case("expires") {
                there.expires = true;
            } else if name.eq_ignore_ascii_case("q") {
                there.q = true;
            } else {
                there.kept = true;
            }
        }
        there
    }
}

/// What we have (RFC 3261 section 8.2.2.3): RFC 3327, RFC 5626, RFC 5627.
const EXTENSIONS: [&str; 3] = ["path", "outbound", "gruu"];

fn check_required(request: &Message) -> Result<(), Refused> {
    let strange: Vec<&str> = request
        .values(HeaderName::Require)
        .filter(|option| !option.is_empty() && !EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(option)))
        .collect();
    if strange.is_empty() { Ok(()) } else { Err(Refused::Extension(unfold(&strange.join(", ")).into_owned())) }
}

/// The Contact's parameters that outlive the request. `expires` and `q` are kept as numbers; GRUUs are not the phone's to give
/// (RFC 5627 section 5.1).
fn params_kept(contact: &NameAddr<'_>, with_reg_id: bool) -> String {
    const NOT_KEPT: [&str; 5] = ["expires", "q", "", "pub-gruu", "temp-gruu"];
    let mut kept = String::new();
    for (name, value) in contact.params.iter() {
        if NOT_KEPT.iter().any(|other| other.eq_ignore_ascii_case(name))
            || !with_reg_id && name.eq_ignore_ascii_case("reg-id")
        {
            continue;
        }
        kept.extend([";", &unfold(name)]);
        if let Some(value) = value {
            kept.extend(["=", &unfold(value)]);
        }
    }
    kept
}

/// The values of Path (RFC 3327 section 5.3), in their order: they become a Route.
fn path_of(request: &Message) -> Result<String, Refused> {
    let mut path = String::new();
    for value in request.values(HeaderName::Path) {
        if value.is_empty() {
            continue;
        }
        NameAddr::parse(value).and_then(|hop| hop.uri_parsed()).map_err(|bad| Refused::Malformed(bad.0))?;
        if !path.is_empty() {
            path.push_str(", ");
        }
        path.push_str(&unfold(value));
    }
    Ok(path)
}
