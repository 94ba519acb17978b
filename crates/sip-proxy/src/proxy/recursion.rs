//! Following a 3xx (RFC 3261 sections 16.5 and 16.7 item 4).

use crate::context::Context;
use crate::{Edits, HeaderEdit, Hop, NamedBy, Target};
use sip_message::{Contacts, Edit, HeaderName, Message, NameAddr, Scheme};

/// Contacts of one 3xx that are followed; further ones are as if they were not there. One request must not become many at a phone's word.
const CONTACTS_MAX: usize = 5;

/// Adds the Contacts of a 3xx to the target set, in the place of the target that sent it. What is left of the response is for the caller
/// to choose from: `None` when nothing is.
///
/// A 305 names a proxy that the target wants to be reached through: the request goes there with the URI that it had. The body of a 380
/// says what else to do; no proxy can read that.
pub(super) fn recurse(
    context: &mut Context,
    place: Option<u16>,
    response: &Message,
    request_uri: Option<&str>,
) -> Option<Message> {
    let (Some(place), Ok(Contacts::List(mut contacts))) = (place.map(usize::from), response.contacts()) else {
        return Some(response.clone());
    };
    contacts.truncate(CONTACTS_MAX);
    let Some(tried) = context.targets.get(place).filter(|_| response.status() != 380) else {
        return Some(response.clone());
    };
    let asked = tried.uri.as_deref().or(request_uri).unwrap_or("");
    let secure = crate::forward::is_secure(request_uri.unwrap_or(""));
    // What was said to this target is not said to others, and what was kept from it is kept from them.
    let removals = tried.edits.iter().filter(|edit| matches!(edit, HeaderEdit::Remove(_)));
    let edits: Edits = removals.cloned().collect();
    // Whoever answers for a place answers for where it sends on to.
    let payer = tried.payer.clone();
    let (followed, left): (Vec<&NameAddr<'_>>, Vec<&NameAddr<'_>>) =
        contacts.iter().partition(|contact| is_usable(contact, secure));
    if followed.is_empty() {
        return Some(response.clone());
    }
    let targets = followed.iter().map(|contact| {
        let (uri, routes) = match response.status() {
            305 => (asked.to_owned(), Some(loose(contact.uri))),
            _ => (contact.uri.to_owned(), None),
        };
        Target {
            uri: Some(uri),
            hop: Hop::Resolve,
            q: contact.q().unwrap_or(1000),
            routes,
            edits: edits.clone(),
            fallbacks: Vec::new(),
            named_by: NamedBy::Redirection,
            payer: payer.clone(),
        }
    });
    let (targets, (_, turn)) = (targets.collect(), context.share(place));
    context.add_targets(targets, turn, request_uri);
    if left.is_empty() {
        return None;
    }
    let mut edit = Edit::new(response).remove(HeaderName::Contact);
    for contact in left {
        edit = edit.append(HeaderName::Contact, format_args!("<{}>", contact.uri));
    }
    Message::parse(edit.finish()).ok()
}

/// A proxy should not leave `sips` behind.
fn is_usable(contact: &NameAddr<'_>, secure: bool) -> bool {
    contact.uri_parsed().is_ok_and(|uri| match uri.scheme {
        Scheme::Sips => true,
        Scheme::Sip | Scheme::Tel => !secure,
        Scheme::Other(_) => false,
    })
}

/// A Route value for a proxy, which no proxy of today lacks `lr` for.
fn loose(proxy: &str) -> String {
    if crate::routes::is_strict(proxy) { format!("<{proxy};lr>") } else { format!("<{proxy}>") }
}
