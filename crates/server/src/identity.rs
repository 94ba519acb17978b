//! What we say of who sends a request (RFC 3325), and what they want kept to themselves (RFC 3323).

use sip_message::{HeaderName, Message};
use sip_proxy::{Edits, HeaderEdit};
use sip_registrar::AddressOfRecord;

/// Who a request comes from, as far as they have proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Anybody.
    Unproved,
    /// A user of ours, by Digest.
    User(AddressOfRecord),
    /// One of our trunks, by its address or certificate, and whether it is believed when it says who calls.
    Trunk { name: String, trusted: bool },
}

impl Caller {
    /// The user who has proved themself.
    pub(crate) fn user(&self) -> Option<&str> {
        if let Caller::User(user) = self { Some(user.user()) } else { None }
    }

    /// The trunk.
    pub(crate) fn trunk(&self) -> Option<&str> {
        if let Caller::Trunk { name, .. } = self { Some(name) } else { None }
    }

    /// Whether what the request says of its sender's identity goes on.
    pub(crate) fn is_trusted(&self) -> bool {
        matches!(self, Caller::User(_) | Caller::Trunk { trusted: true, .. })
    }
}

/// Privacy that we cannot give: it takes somebody who speaks for the caller in their place (RFC 3323 section 5).
const BEYOND_US: [&str; 3] = ["header", "session", "user"];

/// Whether a request demands privacy that we do not have, and would rather fail than go without (RFC 3323 section 4.2, `critical`).
pub(crate) fn demands_too_much(request: &Message) -> bool {
    wants(request, "critical") && BEYOND_US.iter().any(|level| wants(request, level))
}

/// The identity that we vouch for, as a value of P-Asserted-Identity (RFC 3325 section 5).
pub(crate) fn asserted(request: &Message, caller: &Caller) -> Option<String> {
    match caller {
        Caller::Unproved | Caller::Trunk { trusted: false, .. } => None,
        Caller::Trunk { trusted: true, .. } => request.header(HeaderName::PAssertedIdentity).map(str::to_owned),
        Caller::User(user) => {
            let display = request.from().ok().and_then(|from| from.display).unwrap_or("");
            let space = if display.is_empty() { "" } else { " " };
            // The name of an account needs no escapes.
            Some(format!("{display}{space}<sip:{user}>"))
        }
    }
}

/// What is changed in each copy of a request: whoever has proved who they are is named, unless they ask for `id` privacy (RFC 3325
/// sections 5 and 7): phones and strangers are outside of the domain of trust. What those say of themselves who have proved nothing is
/// the proxy's to take off.
pub(crate) fn edits(request: &Message, caller: &Caller) -> Edits {
    let mut edits = Edits::new();
    let mut remove = |name| {
        if request.header(name).is_some() {
            edits.push(HeaderEdit::Remove(name));
        }
    };
    if let Caller::User(_) = caller {
        // What a phone prefers can only be the name that it has proved; another is not its to claim.
        remove(HeaderName::PPreferredIdentity);
        remove(HeaderName::RemotePartyId);
    }
    match (caller, wants(request, "id")) {
        (Caller::Unproved, _) | (Caller::Trunk { .. }, false) => {}
        (_, true) => remove(HeaderName::PAssertedIdentity),
        (Caller::User(_), false) => {
            edits.extend(asserted(request, caller).map(|who| HeaderEdit::Set(HeaderName::PAssertedIdentity, who)));
        }
    }
    edits
}

fn wants(request: &Message, level: &str) -> bool {
    request.privacy().any(|wanted| wanted.eq_ignore_ascii_case(level))
}
