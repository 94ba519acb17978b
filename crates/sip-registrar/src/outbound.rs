use crate::{Binding, Refused};
use sip_message::{HeaderName, Message, NameAddr, Params};

/// Whether the `reg-id` of a Contact with these parameters counts (RFC 5626 section 6).
pub(crate) fn keeps_reg_id(request: &Message, params: Params<'_>, has_instance: bool) -> Result<bool, Refused> {
    let Some(reg_id) = params.get("reg-id") else { return Ok(false) };
    if !first_hop_keeps_flow(request) {
        let supported = knows(request, "outbound");
        return if supported { Err(Refused::FirstHopLacksOutbound) } else { Ok(false) };
    }
    let digits = !reg_id.is_empty() && reg_id.bytes().all(|b| b.is_ascii_digit());
    if has_instance && !(digits && reg_id.parse().is_ok_and(|number: u32| (1..1 << 31).contains(&number))) {
        return Err(Refused::Malformed("reg-id is not a number from 1 to 2147483647")); // RFC 5626 section 10
    }
    Ok(has_instance)
}

/// Whether the sender says to know an extension; who requires it knows it.
pub(crate) fn knows(request: &Message, option: &str) -> bool {
    let mut options = request.values(HeaderName::Supported).chain(request.values(HeaderName::Require));
    options.any(|known| known.eq_ignore_ascii_case(option))
}

/// Whether the first hop is us, or says that it keeps the flow to the phone. Several hops may have added to Path, each in front of the
/// others; the first hop's own value, which alone may have `ob` (section 5.1), stands last.
fn first_hop_keeps_flow(request: &Message) -> bool {
    match request.values(HeaderName::Path).filter(|value| !value.is_empty()).last() {
        None => request.values(HeaderName::Via).take(2).count() == 1,
        Some(first_hop) => {
            let uri = NameAddr::parse(first_hop).and_then(|hop| hop.uri_parsed());
            uri.is_ok_and(|uri| uri.param("ob").is_some())
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
