mod encoding;

use crate::packed_flow::PackedFlow;
use engine::Now;
use sip_message::{Params, Uri};
use sip_transaction::Flow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Bytes that a Contact's URI and its parameters may have, each; a REGISTER with more gets 400.
pub const CONTACT_BYTES_MAX: usize = 512;

/// Bytes that a Call-ID kept in a binding may have; a REGISTER with more gets 400.
pub const CALL_ID_BYTES_MAX: usize = 256;

/// Bytes that are kept of a User-Agent; the rest is cut off.
pub const USER_AGENT_BYTES_MAX: usize = 128;

/// Bytes that the values of Path may have together; a REGISTER with more gets 400.
pub const PATH_BYTES_MAX: usize = 512;

/// One contact of an address-of-record (RFC 3261 section 10), and the flow over which it is reached.
///
/// Never changed, only replaced. Kept small, because there are a million of them: all its text is one string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Contact, its parameters, Call-ID, User-Agent and Path, one behind the other.
    text: Arc<str>,
    /// Where the first four of them end.
    ends: [u16; 4],
    flow: PackedFlow,
    expires_at_s: u32,
    cseq: u32,
    /// See [`Binding::epoch`].
    epoch: u32,
    q: u16,
}

/// What a binding is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The contact's URI.
    pub contact: &'a str,
    /// The Contact's parameters other than `q` and `expires`; empty, or beginning with `;`.
    pub params: &'a str,
    /// The Call-ID of the REGISTER.
    pub call_id: &'a str,
    /// What calls itself there; cut to [`USER_AGENT_BYTES_MAX`].
    pub user_agent: &'a str,
    /// The values of Path, parted by commas; empty without (RFC 3327).
    pub path: &'a str,
    /// The preference in thousandths, 0 to 1000.
    pub q: u16,
    /// The CSeq number of the REGISTER.
    pub cseq: u32,
    /// When it ends, in Unix seconds.
    pub expires_at_s: u32,
    /// What the REGISTER came over.
    pub flow: Flow,
}

impl Binding {
    /// A binding of these parts; `None` when one is longer than its limit.
    pub fn new(parts: Parts<'_>) -> Option<Binding> {
        let too_long = parts.contact.len() > CONTACT_BYTES_MAX
            || parts.params.len() > CONTACT_BYTES_MAX
            || parts.call_id.len() > CALL_ID_BYTES_MAX
            || parts.path.len() > PATH_BYTES_MAX;
        if too_long {
            return None;
        }
        let agent_end = parts.user_agent.floor_char_boundary(USER_AGENT_BYTES_MAX);
        let user_agent = parts.user_agent.get(..agent_end).unwrap_or("");
        let texts = [parts.contact, parts.params, parts.call_id, user_agent, parts.path];
        let mut text = String::with_capacity(texts.iter().map(|text| text.len()).sum());
        let mut ends = [0; 4];
        for (at, part) in texts.into_iter().enumerate() {
            text.push_str(part);
            if let Some(end) = ends.get_mut(at) {
                *end = text.len() as u16;
            }
        }
        Some(Binding {
            text: text.into(),
            ends,
            flow: parts.flow.into(),
            expires_at_s: parts.expires_at_s,
            cseq: parts.cseq,
            epoch: 0,
            q: parts.q.min(1000),
        })
    }

    /// The contact's URI as the phone wrote it.
    pub fn contact(&self) -> &str {
        self.part(0)
    }

    /// The Contact's parameters other than `q` and `expires`; empty, or beginning with `;`.
    pub fn params(&self) -> &str {
        self.part(1)
    }

    /// The Call-ID of the REGISTER that made it what it is.
    pub fn call_id(&self) -> &str {
        self.part(2)
    }

    /// What calls itself there; perhaps cut short, perhaps empty.
    pub fn user_agent(&self) -> &str {
        self.part(3)
    }

    /// The values of Path that a request to it must take as its Route (RFC 3327); empty without.
    pub fn path(&self) -> &str {
        self.part(4)
    }

    /// The CSeq number of the REGISTER that made it what it is.
    pub fn cseq(&self) -> u32 {
        self.cseq
    }

    /// The preference in thousandths, 0 to 1000 (RFC 3261 section 20.10).
    pub fn q(&self) -> u16 {
        self.q
    }

    /// When it ends.
    pub fn expires_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires_at_s.into())
    }

    /// When it ends, in Unix seconds.
    pub fn expires_at_s(&self) -> u32 {
        self.expires_at_s
    }

    /// Seconds that it still has; 0: it is gone.
    pub fn expires_in_s(&self, now: Now) -> u64 {
        u64::from(self.expires_at_s).saturating_sub(now.unix_s())
    }

    /// What its REGISTER came over, and its calls go over: the way back through a NAT, or a connection that only the phone can open.
    pub fn flow(&self) -> Flow {
        self.flow.unpack()
    }

    /// Whether `uri` is this contact by the rules of RFC 3261 section 19.1.4.
    pub fn is_for(&self, uri: &str) -> bool {
        let contact = self.contact();
        contact == uri
            || match (Uri::parse(contact), Uri::parse(uri)) {
                (Ok(a), Ok(b)) => a.equivalent(&b),
                _ => false,
            }
    }

    /// Which phone it is: the value of `+sip.instance` without quotes and angle brackets (RFC 5626 section 4.1).
    pub fn instance(&self) -> Option<&str> {
        instance_of(Params::new(self.params()))
    }

    /// Which of the phone's flows it is (RFC 5626 section 4.2.1); none for a phone that does not tell its flows apart.
    pub fn reg_id(&self) -> Option<&str> {
        let params = self.params();
        if params.is_empty() { None } else { Params::new(params).get("reg-id") }
    }

    /// Whether both are the same phone, over whatever flows.
    pub fn is_of_instance(&self, other: &Binding) -> bool {
        let same = |(one, other): (&str, &str)| one.eq_ignore_ascii_case(other);
        self.instance().zip(other.instance()).is_some_and(same)
    }

    /// Whether both are the same flow of the same phone, or both are of a phone that does not tell its flows apart (RFC 5626 section 6).
    pub fn is_of_flow(&self, other: &Binding) -> bool {
        self.is_of_instance(other) && self.reg_id() == other.reg_id()
    }

    /// A number that changes for all bindings of an instance whenever its temporary GRUUs become invalid (RFC 5627 section 5.1).
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The same binding in this epoch.
    pub(crate) fn with_epoch(self, epoch: u32) -> Binding {
        Binding { epoch, ..self }
    }

    fn part(&self, at: usize) -> &str {
        let begin = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| usize::from(*end));
        let end = self.ends.get(at).map_or(self.text.len(), |end| usize::from(*end));
        self.text.get(begin..end).unwrap_or("")
    }
}

/// The instance ID among a Contact's parameters, without quotes and angle brackets.
pub(crate) fn instance_of(params: Params<'_>) -> Option<&str> {
    if params.as_str().is_empty() {
        return None;
    }
    let value = params.get("+sip.instance")?.trim_matches('"');
    let id = value.strip_prefix('<').and_then(|value| value.strip_suffix('>')).unwrap_or(value);
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::{Binding, CALL_ID_BYTES_MAX, CONTACT_BYTES_MAX, PATH_BYTES_MAX, Parts, USER_AGENT_BYTES_MAX};
    use sip_message::Transport;
    use sip_transaction::Flow;

    fn parts() -> Parts<'static> {
        let address = "192.0.2.1:5060".parse().unwrap();
        Parts {
            contact: "sip:100@192.0.2.1",
            params: ";reg-id=1",
            call_id: "call",
            user_agent: "phone",
            path: "<sip:edge;lr>",
            q: 500,
            cseq: 7,
            expires_at_s: 99,
            flow: Flow { transport: Transport::Udp, local: address, remote: address, connection: None },
        }
    }

    #[test]
    fn its_parts_come_out_again() {
        let binding = Binding::new(parts()).unwrap();
        assert_eq!(binding.contact(), "sip:100@192.0.2.1");
        assert_eq!((binding.params(), binding.call_id(), binding.user_agent()), (";reg-id=1", "call", "phone"));
        assert_eq!(
            (binding.path(), binding.q(), binding.cseq(), binding.expires_at_s()),
            ("<sip:edge;lr>", 500, 7, 99)
        );
        assert_eq!(binding.flow(), parts().flow);
        assert!(binding.is_for("sip:100@192.0.2.1") && binding.is_for("SIP:%3100@192.0.2.1"));
        assert!(!binding.is_for("sip:100@192.0.2.1:5060") && !binding.is_for("nonsense"));
    }

    #[test]
    fn every_part_has_its_limit() {
        let text = |bytes: usize| "é".repeat(bytes / 2) + if bytes % 2 == 1 { "x" } else { "" };
        let (contact, call_id, path) = (text(CONTACT_BYTES_MAX), text(CALL_ID_BYTES_MAX), text(PATH_BYTES_MAX));
        let longest = Parts { contact: &contact, params: &contact, call_id: &call_id, path: &path, ..parts() };
        let binding = Binding::new(longest).unwrap();
        assert_eq!((binding.contact(), binding.params(), binding.path()), (&*contact, &*contact, &*path));
        let (contact, call_id, path) = (contact + "x", call_id + "x", path + "x");
        assert!(Binding::new(Parts { contact: &contact, ..parts() }).is_none());
        assert!(Binding::new(Parts { params: &contact, ..parts() }).is_none());
        assert!(Binding::new(Parts { call_id: &call_id, ..parts() }).is_none());
        assert!(Binding::new(Parts { path: &path, ..parts() }).is_none());
        let agent = format!("x{}", "é".repeat(USER_AGENT_BYTES_MAX));
        let cut = Binding::new(Parts { user_agent: &agent, ..parts() }).unwrap();
        assert_eq!((cut.user_agent().len(), cut.path()), (USER_AGENT_BYTES_MAX - 1, "<sip:edge;lr>"));
    }

    #[test]
    fn a_binding_is_small() {
        assert!(size_of::<Binding>() <= 88, "{}", size_of::<Binding>());
    }
}
