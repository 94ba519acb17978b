use crate::preprocess::Preprocessed;
use crate::{Config, Dialog, RouteToken};
use bytes::Bytes;
use sip_message::{AuthValue, Edit, HeaderName, Message, Method, NameAddr, Transport};
use sip_transaction::{Branch, Flow, Packet};
use std::fmt::{self, Display};

/// Max-Forwards of a request that came without (RFC 3261 section 16.6 item 3).
const MAX_FORWARDS: u8 = 70;

/// The copy of a request that goes to one target: RFC 3261 section 16.6 items 1 to 8, as splices of the bytes that came.
///
/// Credentials for our realm are consumed here (section 22.3): nobody further on shall try passwords on them. What those say about
/// themselves who have proved nothing does not go on where it would look like our word (RFC 3325 section 5).
pub(crate) fn forwarded_request(
    packet: &Packet,
    preprocessed: &Preprocessed,
    uri: Option<&str>,
    branch: &Branch,
    flow: Flow,
    config: &Config,
) -> Bytes {
    let request = &packet.message;
    let uri = uri.or(preprocessed.restored_uri.as_deref());
    let hops = request.max_forwards().ok().flatten().map_or(MAX_FORWARDS, |hops| hops.saturating_sub(1));
    let mut edit = Edit::new(request)
        .prepend(HeaderName::Via, format_args!("SIP/2.0/{} {};branch={branch}", flow.transport, flow.local))
        .stamp_via(packet.flow.remote);
    for name in [HeaderName::ProxyAuthorization, HeaderName::Authorization] {
        edit = edit.remove_where(name, |credentials| is_for(credentials, &config.realm));
    }
    if !preprocessed.proved && !preprocessed.in_known_dialog() {
        for name in [HeaderName::PAssertedIdentity, HeaderName::PPreferredIdentity, HeaderName::RemotePartyId] {
            edit = edit.remove(name);
        }
    }
    for change in &preprocessed.edits {
        edit = change.apply(edit);
    }
    if config.record_route && makes_dialog(request) {
        let mac = &config.mac;
        let dialog = Dialog::of(request);
        let token = RouteToken::new(mac, packet.flow, flow, &dialog).write(mac, &dialog);
        edit = edit.prepend(HeaderName::RecordRoute, OwnRoute { token: &token, flow });
        if (packet.flow.transport, packet.flow.local) != (flow.transport, flow.local) {
            // RFC 5658: each side must see an address and transport of its own.
            edit = edit.prepend(HeaderName::RecordRoute, OwnRoute { token: &token, flow: packet.flow });
        }
    }
    edit = match request.header(HeaderName::MaxForwards) {
        Some(_) => edit.set(HeaderName::MaxForwards, hops),
        None => edit.append(HeaderName::MaxForwards, hops),
    };
    let strict = preprocessed.next_route.as_deref().filter(|route| is_strict(route));
    let first = preprocessed.own_routes + usize::from(strict.is_some());
    let last = usize::from(preprocessed.restored_uri.is_some());
    if first + last > 0 {
        // What goes from both ends of one field must not leave an empty one.
        edit = match request.values(HeaderName::Route).count() == first + last {
            true => edit.remove(HeaderName::Route),
            false if last > 0 => {
                edit.remove_last_value(HeaderName::Route).remove_first_values(HeaderName::Route, first)
            }
            false => edit.remove_first_values(HeaderName::Route, first),
        };
    }
    match (strict, uri) {
        // Item 6: a strict router wants to be named in the Request-URI, and the target at the end of Route.
        (Some(router), uri) => {
            let target = uri.unwrap_or(request.request_uri());
            edit.append(HeaderName::Route, format_args!("<{target}>")).request_uri(router).finish()
        }
        (None, Some(uri)) => edit.request_uri(uri).finish(),
        (None, None) => edit.finish(),
    }
}

/// A response as it goes back: without our Via (RFC 3261 section 16.7 item 3). `None` when no Via is left: it was for us.
pub(crate) fn forwarded_response(response: &Message, challenges: &[(HeaderName, String)]) -> Option<Bytes> {
    response.values(HeaderName::Via).nth(1)?;
    let mut edit = Edit::new(response).remove_first_values(HeaderName::Via, 1);
    for (name, value) in challenges {
        edit = edit.append(*name, value);
    }
    Some(edit.finish())
}

/// A request outside a dialog whose 2xx makes one, so that the rest of it should come through us.
fn makes_dialog(request: &Message) -> bool {
    matches!(request.method(), Method::Invite | Method::Subscribe | Method::Refer | Method::Notify)
        && request.to_tag().is_none()
}

fn is_for(credentials: &str, realm: &str) -> bool {
    AuthValue::parse(credentials).ok().and_then(|value| value.get("realm")).is_some_and(|found| found == realm)
}

fn is_strict(route: &str) -> bool {
    NameAddr::parse(&format!("<{route}>")).ok().and_then(|address| address.uri_parsed().ok()?.param("lr")).is_none()
}

/// Our Record-Route value for one side.
struct OwnRoute<'a> {
    token: &'a str,
    flow: Flow,
}

impl Display for OwnRoute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<sip:{}@{}", self.token, self.flow.local)?;
        if self.flow.transport != Transport::Udp {
            write!(f, ";transport={}", self.flow.transport.as_param())?;
        }
        f.write_str(";lr>")
    }
}
