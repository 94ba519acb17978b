//! What we say of who sends a request (RFC 3325), and what they want kept to themselves (RFC 3323).

use crate::Server;
use routing::Limits;
use sip_message::{Edit, HeaderName, Host, Message, Uri};
use sip_proxy::{Edits, HeaderEdit};
use sip_registrar::AddressOfRecord;
use sip_transaction::Packet;
use std::sync::Arc;

/// Who a request comes from, as far as they have proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Anybody.
    Unproved,
    /// A user of ours, by Digest, and what their calls may come to where that is not the usual.
    User(AddressOfRecord, Option<Arc<Limits>>),
    /// One of our trunks, by its address or certificate, and whether it is believed when it says who calls.
    Trunk { name: String, trusted: bool },
}

impl Caller {
    /// The user who has proved themself.
    pub(crate) fn user(&self) -> Option<&str> {
        if let Caller::User(user, _) = self { Some(user.user()) } else { None }
    }

    /// The trunk.
    pub(crate) fn trunk(&self) -> Option<&str> {
        if let Caller::Trunk { name, .. } = self { Some(name) } else { None }
    }

    /// Whether what the request says of its sender's identity goes on.
    pub(crate) fn is_trusted(&self) -> bool {
        matches!(self, Caller::User(..) | Caller::Trunk { trusted: true, .. })
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
        Caller::User(user, _) => {
            // The name of an account needs no escapes. What a phone displays beside it is its own word, not ours.
            Some(format!("<sip:{user}>"))
        }
    }
}

/// The fields that say who somebody is.
const NAMES: [HeaderName; 3] =
    [HeaderName::PAssertedIdentity, HeaderName::PPreferredIdentity, HeaderName::RemotePartyId];

/// Those that say how a call came to be; carriers bill by them.
const HISTORY: [HeaderName; 2] = [HeaderName::Diversion, HeaderName::HistoryInfo];

impl Server {
    /// A response as it goes on: what it says of who has answered only a trusted trunk is believed.
    pub(crate) fn without_names(&self, packet: Packet) -> Packet {
        let response = &packet.message;
        if NAMES.iter().all(|name| response.header(*name).is_none()) || self.peer(&packet).is_trusted() {
            return packet;
        }
        let bare = NAMES.into_iter().fold(Edit::new(response), Edit::remove).finish();
        match Message::parse(bare) {
            Ok(message) => Packet { message, ..packet },
            Err(_) => packet, // it came as a message, and has lost nothing that makes it one
        }
    }
}

/// What is changed in each copy of a request: whoever has proved who they are is named, unless they ask for `id` privacy (RFC 3325
/// sections 5 and 7): phones and strangers are outside of the domain of trust. What those say of themselves who are not trusted goes, and
/// inside a dialog, where nobody is asked for proof, that is everybody but a trusted trunk.
pub(crate) fn edits(request: &Message, caller: &Caller, in_dialog: bool) -> Edits {
    let hidden = wants(request, "id");
    let asserted = match caller {
        Caller::User(..) if !hidden && !in_dialog => asserted(request, caller),
        _ => None,
    };
    let trusted = matches!(caller, Caller::Trunk { trusted: true, .. });
    let mut edits = Edits::new();
    if trusted && hidden {
        let present = NAMES.into_iter().filter(|name| request.header(*name).is_some());
        edits.extend(present.map(HeaderEdit::Remove));
    } else if !trusted {
        let present = NAMES.into_iter().chain(HISTORY).filter(|name| request.header(*name).is_some());
        edits.extend(present.map(HeaderEdit::Remove));
    }
    edits.extend(asserted.map(|who| HeaderEdit::Set(HeaderName::PAssertedIdentity, who)));
    edits
}

/// Whether the sender wants to stay unknown to those who are called, and has written so where its name would be (RFC 3323 section
/// 4.1.1.3).
pub(crate) fn is_anonymous(from: &Uri<'_>) -> bool {
    matches!(from.host, Host::Name(name) if name.eq_ignore_ascii_case("anonymous.invalid"))
}

fn wants(request: &Message, level: &str) -> bool {
    request.privacy().any(|wanted| wanted.eq_ignore_ascii_case(level))
}
