use sip_proxy::{Hop, Target};
use sip_registrar::Snapshot;

/// The target set of RFC 3261 section 16.5 for a user of ours: every binding, over the flow it was registered on.
///
/// Nobody bound looks like nobody there: whether there is such a user is nobody's business.
pub(crate) fn targets(snapshot: &Snapshot) -> Vec<Target> {
    let current = snapshot.bindings.iter(); // those that have ended are not in it
    current
        .map(|binding| Target {
            q: binding.q(),
            ..Target::new(Some(binding.contact().to_owned()), Hop::Flow(binding.flow()))
        })
        .collect()
}
