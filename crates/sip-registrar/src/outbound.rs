use crate::{Binding, Refused};
use sip_message::{HeaderName, Message, NameAddr, Params};

/// What RFC 5626 section 6 says about the flows of one REGISTER.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outbound {
    /// Whether the phone knows what it is about.
    supported: bool,
    /// Whether the first hop keeps the flow: it is us, or it says so.
    kept: bool,
}

impl Outbound {
    /// `path` is what becomes of the request's Path. Several hops may have added to it, each in front of the others; the first hop's own
    /// value, which alone may have `ob` (section 5.1), stands last.
    pub(crate) fn of(request: &Message, supported: bool, path: &str) -> Outbound {
        let direct = || request.values(HeaderName::Via).take(2).count() == 1;
        let first_hop = || {
            let value = request.values(HeaderName::Path).filter(|value| !value.is_empty()).last()?;
            NameAddr::parse(value).ok()?.uri_parsed().ok()
        };
        let kept = if path.is_empty() { direct() } else { first_hop().is_some_and(|uri| uri.param("ob").is_some()) };
        Outbound { supported, kept }
    }

    /// Whether the `reg-id` of a Contact with these parameters counts.
    pub(crate) fn keeps_reg_id(&self, params: Params<'_>, has_instance: bool) -> Result<bool, Refused> {
        let Some(reg_id) = params.get("reg-id") else { return Ok(false) };
        match (self.kept, self.supported) {
            (false, true) => Err(Refused::FirstHopLacksOutbound),
            (false, false) => Ok(false),
            (true, _) if !has_instance => Ok(false),
            (true, _) if reg_id.is_empty() || !reg_id.bytes().all(|b| b.is_ascii_digit()) => {
                Err(Refused::Malformed("reg-id is not a number"))
            }
            (true, _) => Ok(true),
        }
    }
}

/// One phone of an address-of-record, as a target (RFC 5626 section 7, RFC 5627 section 6.1).
#[derive(Debug, Clone)]
pub struct InstanceTarget<'a> {
    /// Where a request goes: the binding that was refreshed last.
    pub first: &'a Binding,
    /// Other bindings of the same phone, that refreshed last first. One is tried when the one before failed with 430 (Flow Failed) or
    /// 408; after any other final response none is, since the phone has answered.
    pub others: Vec<&'a Binding>,
}

/// The phones that `bindings`, as they stand in a [`Snapshot`](crate::Snapshot), lead to, in their order. A binding without an instance is a
/// phone by itself.
pub fn targets_of(bindings: &[Binding]) -> Vec<InstanceTarget<'_>> {
    let mut targets: Vec<InstanceTarget<'_>> = Vec::with_capacity(bindings.len());
    for binding in bindings {
        match targets.iter_mut().find(|target| target.first.is_of_instance(binding)) {
            Some(target) => target.others.insert(0, std::mem::replace(&mut target.first, binding)),
            None => targets.push(InstanceTarget { first: binding, others: Vec::new() }),
        }
    }
    targets
}
