use crate::request::{Update, Wish};
use crate::{Binding, Refused};

/// Bindings that one address-of-record may have; a REGISTER that would make them more gets 403.
pub const BINDINGS_PER_AOR_MAX: usize = 10;

/// The bindings that are to stand once `wish` is granted, `None` when they stay as they are (RFC 3261 section 10.3 steps 6 and 7).
///
/// All or nothing: one contact that may not be changed refuses the whole request.
pub(crate) fn decide(wish: &Wish, current: &[Binding]) -> Result<Option<Vec<Binding>>, Refused> {
    match wish {
        Wish::Query => Ok(None),
        Wish::RemoveAll { call_id, cseq } => {
            if current.iter().any(|binding| is_later(binding, call_id, *cseq)) {
                return Err(Refused::OutOfOrder);
            }
            Ok((!current.is_empty()).then(Vec::new))
        }
        Wish::Update(updates) => update(updates, current),
    }
}

/// Whether `binding` was made by a request of this Call-ID that was not sent before the one with `cseq`.
fn is_later(binding: &Binding, call_id: &str, cseq: u32) -> bool {
    binding.call_id() == call_id && binding.cseq() >= cseq
}

/// Whether `update` is about `known`: the same flow of a phone, or, where flows are not told apart, the same contact.
fn means(update: &Update, known: &Binding) -> bool {
    let flow = || known.is_of_flow(&update.binding);
    match (update.binding.reg_id(), known.reg_id()) {
        (Some(_), Some(_)) => flow(),
        _ => known.is_for(update.binding.contact()),
    }
}

fn update(updates: &[Update], current: &[Binding]) -> Result<Option<Vec<Binding>>, Refused> {
    let late = |known: &Binding| {
        let meant = |update: &&Update| means(update, known) || (!update.remove && known.is_of_flow(&update.binding));
        updates
            .iter()
            .find(meant)
            .is_some_and(|update| is_later(known, update.binding.call_id(), update.binding.cseq()))
    };
    if current.iter().any(late) {
        return Err(Refused::OutOfOrder);
    }
    let mut bindings = Vec::with_capacity(current.len() + updates.len());
    bindings.extend_from_slice(current);
    let mut changed = false;
    for update in updates {
        if update.remove {
            let before = bindings.len();
            bindings.retain(|known| !means(update, known));
            changed |= bindings.len() < before;
        } else {
            put(&mut bindings, update);
            changed = true;
        }
    }
    if bindings.len() > BINDINGS_PER_AOR_MAX {
        return Err(Refused::TooManyContacts);
    }
    Ok(changed.then_some(bindings))
}

fn put(bindings: &mut Vec<Binding>, update: &Update) {
    let binding = in_epoch(bindings, update.binding.clone());
    // A phone that has restarted is reached at its new contact alone (RFC 5626 section 6); two contacts of one request may be two
    // transports of one phone.
    let of_this_request = |known: &Binding| known.call_id() == binding.call_id() && known.cseq() == binding.cseq();
    let place = bindings.iter().position(|known| means(update, known));
    let stays =
        |known: &Binding| !means(update, known) && (of_this_request(known) || !known.is_of_flow(&update.binding));
    // It keeps its place, behind the other bindings of its phone: of these the last is the one refreshed last.
    let place = place.map(|at| bindings[..at].iter().filter(|known| stays(known)).count());
    bindings.retain(stays);
    let last = bindings.iter().rposition(|known| known.is_of_instance(&binding)).map_or(0, |at| at + 1);
    let place = place.map_or(bindings.len(), |place| place.max(last));
    bindings.insert(place, binding);
}

/// `binding` in the epoch of its phone's other bindings, unless a new one begins: when the one before has another Call-ID, the temporary
/// GRUUs made until now become invalid, for all bindings of the phone (RFC 5627 section 5.1).
fn in_epoch(bindings: &mut [Binding], binding: Binding) -> Binding {
    let before = |known: &&Binding| {
        known.is_of_instance(&binding) && (binding.reg_id().is_none() || known.reg_id() == binding.reg_id())
    };
    let changes = bindings.iter().rfind(before).is_some_and(|known| known.call_id() != binding.call_id());
    if changes {
        for known in bindings.iter_mut().filter(|known| known.is_of_instance(&binding)) {
            *known = known.clone().with_epoch(binding.epoch());
        }
        return binding;
    }
    match bindings.iter().rfind(|known| known.is_of_instance(&binding)).map(Binding::epoch) {
        Some(epoch) => binding.with_epoch(epoch),
        None => binding,
    }
}
