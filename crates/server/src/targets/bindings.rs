use sip_message::{CallerPreferences, HeaderName, Message, Params};
use sip_proxy::{Hop, Target};
use sip_registrar::{Binding, Gruu, Snapshot, targets_of};

/// The target set of RFC 3261 section 16.5 for a user of ours: every phone, over the flow it was registered on; of several flows of one
/// phone the latest, the others for when that fails (RFC 5626 section 7). With `secure`, over TLS only (RFC 3261 section 16.6 item 1,
/// RFC 5630); with a GRUU, that phone alone (RFC 5627 section 6.1); inside a dialog, the
/// phone that it is with. Those that the caller does not want, or that say not to know the
/// method, are left out (RFC 3841 section 7.2).
///
/// Nobody bound looks like nobody there: whether there is such a user is nobody's business.
pub(crate) fn targets(request: &Message, snapshot: &Snapshot, secure: bool, meant: &Phones) -> Vec<Target> {
    let fits =
        |binding: &&Binding| (!secure || binding.flow().transport.is_secure()) && meant.include(request, binding);
    // Those that have ended are not in the snapshot.
    let phones = targets_of(&snapshot.bindings);
    let wanted = wanted(request, phones.iter().map(|phone| phone.first));
    let phones = phones.into_iter().enumerate().filter_map(|(at, phone)| {
        if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&at)) {
            return None;
        }
        let mut flows = std::iter::once(phone.first).chain(phone.others).filter(fits).map(target);
        let mut first = flows.next()?;
        first.fallbacks = flows.collect();
        Some(first)
    });
    phones.collect()
}

/// Which phones of a user a request is for.
#[derive(Debug)]
pub(crate) enum Phones {
    /// All.
    All,
    /// The one that the GRUU stands for.
    One(Box<Gruu>),
    /// The one whose contact the Request-URI is: a dialog is with it.
    AtRequestUri,
}

impl Phones {
    fn include(&self, request: &Message, binding: &Binding) -> bool {
        match self {
            Phones::All => true,
            Phones::One(gruu) => gruu.reaches(binding),
            Phones::AtRequestUri => binding.is_for(request.request_uri()),
        }
    }
}

/// Which of these contacts the caller wants; `None`: all, as most callers do.
fn wanted<'a>(request: &Message, contacts: impl Iterator<Item = &'a Binding> + Clone) -> Option<Vec<usize>> {
    let picky =
        [HeaderName::AcceptContact, HeaderName::RejectContact].iter().any(|name| request.header(*name).is_some());
    let says = |binding: &Binding| ["methods=", "events="].iter().any(|name| binding.params().contains(name));
    if !picky && !contacts.clone().any(says) {
        return None;
    }
    let features: Vec<(u16, Params<'_>)> =
        contacts.map(|binding| (binding.q(), Params::new(binding.params()))).collect();
    Some(CallerPreferences::of(request).order(&features))
}

fn target(binding: &Binding) -> Target {
    Target {
        q: binding.q(),
        routes: Some(binding.path().to_owned()).filter(|path| !path.is_empty()),
        ..Target::new(Some(binding.contact().to_owned()), Hop::Flow(binding.flow()))
    }
}
