use sip_proxy::{Hop, Target};
use sip_registrar::Snapshot;

/// The target set of RFC 3261 section 16.5 for a user of ours: every binding, over the flow it was registered on.
///
/// Nobody bound looks like nobody there: whether there is such a user is nobody's business.
/// With `secure`, over TLS only (RFC 3261 section 16.6 item 1, RFC 5630).
pub(crate) fn targets(snapshot: &Snapshot, secure: bool) -> Vec<Target> {
    let current = snapshot.bindings.iter(); // those that have ended are not in it
    current
        .filter(|binding| !secure || binding.flow().transport.is_secure())
        .map(|binding| Target {
            q: binding.q(),
            routes: Some(binding.path().to_owned()).filter(|path| !path.is_empty()),
            ..Target::new(Some(binding.contact().to_owned()), Hop::Flow(binding.flow()))
        })
        .collect()
}
