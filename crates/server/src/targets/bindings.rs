use sip_proxy::{Hop, Target};
use sip_registrar::{Binding, Gruu, Snapshot, targets_of};

/// The target set of RFC 3261 section 16.5 for a user of ours: every phone, over the flow it was registered on; of several flows of one
/// phone the latest, the others for when that fails (RFC 5626 section 7). With `secure`, over TLS only (RFC 3261 section 16.6 item 1,
/// RFC 5630); with a GRUU, that phone alone (RFC 5627 section 6.1).
///
/// Nobody bound looks like nobody there: whether there is such a user is nobody's business.
pub(crate) fn targets(snapshot: &Snapshot, secure: bool, gruu: Option<&Gruu>) -> Vec<Target> {
    let fits = |binding: &&Binding| {
        (!secure || binding.flow().transport.is_secure()) && gruu.is_none_or(|gruu| gruu.reaches(binding))
    };
    // Those that have ended are not in the snapshot.
    let phones = targets_of(&snapshot.bindings).into_iter().filter_map(|phone| {
        let mut flows = std::iter::once(phone.first).chain(phone.others).filter(fits).map(target);
        let mut first = flows.next()?;
        first.fallbacks = flows.collect();
        Some(first)
    });
    phones.collect()
}

fn target(binding: &Binding) -> Target {
    Target {
        q: binding.q(),
        routes: Some(binding.path().to_owned()).filter(|path| !path.is_empty()),
        ..Target::new(Some(binding.contact().to_owned()), Hop::Flow(binding.flow()))
    }
}
