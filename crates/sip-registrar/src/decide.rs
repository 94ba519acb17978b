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

fn update(updates: &[Update], current: &[Binding]) -> Result<Option<Vec<Binding>>, Refused> {
    let late = |binding: &Binding| {
        let meant = |update: &&Update| {
            binding.is_for(update.binding.contact()) || (!update.remove && binding.is_of_instance(&update.binding))
        };
        updates
            .iter()
            .find(meant)
            .is_some_and(|update| is_later(binding, update.binding.call_id(), update.binding.cseq()))
    };
    if current.iter().any(late) {
        return Err(Refused::OutOfOrder);
    }
    let mut bindings = Vec::with_capacity(current.len() + updates.len());
    bindings.extend_from_slice(current);
    let mut changed = false;
    for Update { binding, remove } in updates {
        if !remove {
            // A phone that has restarted is reached at its new contact alone (RFC 5626 section 6); two contacts of one request may be
            // two transports of one phone.
            let of_this_request =
                |known: &Binding| known.call_id() == binding.call_id() && known.cseq() == binding.cseq();
            bindings.retain(|known| {
                known.is_for(binding.contact()) || of_this_request(known) || !known.is_of_instance(binding)
            });
        }
        let known = bindings.iter().position(|known| known.is_for(binding.contact()));
        match (known, remove) {
            (Some(at), true) => drop(bindings.remove(at)),
            (Some(at), false) => bindings[at] = binding.clone(),
            (None, true) => continue,
            (None, false) => bindings.push(binding.clone()),
        }
        changed = true;
    }
    if bindings.len() > BINDINGS_PER_AOR_MAX {
        return Err(Refused::TooManyContacts);
    }
    Ok(changed.then_some(bindings))
}
