use crate::preprocess::Preprocessed;
use crate::routes::{first_route, is_strict};
use crate::text::Text;
use crate::{Config, Dialog, FlowToken, RouteToken, Target};
use bytes::Bytes;
use sip_message::{AuthValue, Edit, HeaderName, Message, Method, Transport};
use sip_transaction::{Flow, Packet};
use std::borrow::Cow;

/// Max-Forwards of a request that came without (RFC 3261 section 16.6 item 3).
const MAX_FORWARDS: u8 = 70;

/// What one copy of a request has of its own.
pub(crate) struct Copy<'a> {
    /// Where it goes; nowhere else than the request when it follows the way of a dialog.
    pub(crate) target: Option<&'a Target>,
    /// The flow that it leaves by.
    pub(crate) flow: Flow,
    /// Its Max-Breadth (RFC 5393 section 5.3.3).
    pub(crate) breadth: u16,
    /// What stands behind its branch (RFC 5393 section 4.2.1).
    pub(crate) mark: &'a str,
}

/// The copy of a request that goes to one target: RFC 3261 section 16.6 items 1 to 9, as splices of the bytes that came.
///
/// Credentials for our realm are consumed here (section 22.3): nobody further on shall try passwords on them. What those say about
/// themselves who have proved nothing does not go on where it would look like our word (RFC 3325 section 5).
pub(crate) fn forwarded_request(
    packet: &Packet,
    preprocessed: &Preprocessed,
    branch: &str,
    copy: &Copy<'_>,
    config: &Config,
) -> Bytes {
    let request = &packet.message;
    let Copy { target, flow, breadth, mark } = *copy;
    let mut via = Text::new();
    via.push("SIP/2.0/").push(flow.transport.as_str()).push(" ").push_address(flow.local);
    // Should there be a NAT on the way, its port is where the response must go (RFC 3581 section 3).
    via.push(if flow.transport.reliable() { ";branch=" } else { ";rport;branch=" }).push(branch).push(mark);
    let mut edit = Edit::new(request).prepend(HeaderName::Via, via.as_str()).stamp_via(packet.flow.remote);
    for name in [HeaderName::ProxyAuthorization, HeaderName::Authorization] {
        edit = edit.remove_where(name, |credentials| is_for(credentials, &config.realm));
    }
    if !preprocessed.proved && !preprocessed.in_known_dialog() {
        for name in [HeaderName::PAssertedIdentity, HeaderName::PPreferredIdentity, HeaderName::RemotePartyId] {
            edit = edit.remove(name);
        }
    }
    let changes = || preprocessed.edits.iter().chain(target.iter().flat_map(|target| &target.edits));
    for (n, change) in changes().enumerate() {
        if !changes().skip(n + 1).any(|later| later.undoes(change)) {
            edit = change.apply(edit);
        }
    }
    let asked = target.and_then(|target| target.uri.as_deref()).or_else(|| preprocessed.changed_uri());
    let asked = asked.map(as_request_uri);
    let pushed = target.and_then(|target| target.routes.as_deref());
    if config.record_route && makes_dialog(request) {
        let mac = &config.mac;
        let dialog = Dialog::of(request);
        let token = RouteToken::new(mac, packet.flow, flow, &dialog).write(mac, &dialog);
        let next = pushed.and_then(first_route).or(preprocessed.next_route.as_deref());
        let secure = is_secure(asked.as_deref().unwrap_or(request.request_uri())) || next.is_some_and(is_secure);
        edit = edit.prepend(HeaderName::RecordRoute, own_route(&token, flow, secure).as_str());
        if (packet.flow.transport, packet.flow.local) != (flow.transport, flow.local) {
            // RFC 5658: each side must see an address and transport of its own.
            edit = edit.prepend(HeaderName::RecordRoute, own_route(&token, packet.flow, secure).as_str());
        }
    }
    // A datagram may come from whoever it names: a token for its flow would have anybody send to them.
    if request.method() == Method::Register && packet.flow.connection.is_some() && knows(request, "path") {
        // An edge keeps the flow of a phone whose registrar is elsewhere (RFC 5626 section 5.1, RFC 3327); only the first hop can.
        let first_hop = request.values(HeaderName::Via).nth(1).is_none();
        let token = FlowToken(packet.flow);
        let path = token.path(&config.mac, flow, first_hop && knows(request, "outbound"));
        edit = edit.prepend(HeaderName::Path, path);
    }
    let hops = request.max_forwards().ok().flatten().map_or(MAX_FORWARDS, |hops| hops.saturating_sub(1));
    for (name, number) in [(HeaderName::MaxForwards, hops.into()), (HeaderName::MaxBreadth, breadth)] {
        edit = edit.set(name, Text::new().push_number(number).as_str());
    }
    if flow.transport.reliable() && request.header(HeaderName::ContentLength).is_none() {
        edit = edit.append(HeaderName::ContentLength, request.body().len());
    }
    route(edit, request, preprocessed, asked, pushed).finish()
}

/// Whether the sender says to know an extension.
fn knows(request: &Message, option: &str) -> bool {
    request.values(HeaderName::Supported).any(|known| known.eq_ignore_ascii_case(option))
}

/// Route and the Request-URI: section 16.6 items 2 and 6, and RFC 3327's Path on top.
fn route<'m>(
    mut edit: Edit<'m>,
    request: &'m Message,
    preprocessed: &Preprocessed,
    asked: Option<Cow<'_, str>>,
    pushed: Option<&str>,
) -> Edit<'m> {
    let own_strict = preprocessed.next_route.as_deref().filter(|route| pushed.is_none() && is_strict(route));
    let first = preprocessed.own_routes + usize::from(own_strict.is_some());
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
    let mut strict = own_strict;
    if let Some(routes) = pushed {
        strict = first_route(routes).filter(|route| is_strict(route));
        let kept = if strict.is_some() { crate::routes::rest(routes) } else { routes };
        if !kept.is_empty() {
            edit = edit.prepend(HeaderName::Route, kept);
        }
    }
    match (strict, asked) {
        // Item 6: a strict router wants to be named in the Request-URI, and the target at the end of Route.
        (Some(router), asked) => {
            let target = asked.as_deref().unwrap_or(request.request_uri());
            edit.append(HeaderName::Route, format_args!("<{target}>")).request_uri(router)
        }
        (None, Some(uri)) => edit.request_uri(uri),
        (None, None) => edit,
    }
}

/// A response as it goes back: without our Via (RFC 3261 section 16.7 item 3). `None` when no Via is left: it was for us.
pub(crate) fn forwarded_response(response: &Message, challenges: &[(HeaderName, String)]) -> Option<Bytes> {
    response.values(HeaderName::Via).nth(1)?;
    let mut edit = Edit::new(response).remove_first_values(HeaderName::Via, 1);
    for (name, value) in challenges {
        edit = edit.append(*name, value);
    }
    if response.header(HeaderName::ContentLength).is_none() {
        // It may have come in a datagram and go back over a stream (section 18.3).
        edit = edit.append(HeaderName::ContentLength, response.body().len());
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

/// Whether TLS is promised (RFC 3261 section 26.2.2).
pub(crate) fn is_secure(uri: &str) -> bool {
    uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"))
}

/// A URI without what a Request-URI cannot have: headers and `method` (RFC 3261 section 19.1.1, table 1).
fn as_request_uri(uri: &str) -> Cow<'_, str> {
    let with_scheme = |scheme: &str| uri.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if !with_scheme("sip:") && !with_scheme("sips:") {
        return Cow::Borrowed(uri);
    }
    // A question mark may stand in the user part, too.
    let host = uri.find('@').map_or(0, |at| at + 1);
    let headers = uri[host..].find('?').map_or(uri.len(), |at| host + at);
    let uri = &uri[..headers];
    let params = uri[host..].find(';').map_or(uri.len(), |at| host + at);
    let is_method = |param: &str| param.get(..7).is_some_and(|name| name.eq_ignore_ascii_case("method="));
    if !uri[params..].split(';').any(is_method) {
        return Cow::Borrowed(uri);
    }
    let kept: Vec<&str> = uri[params..].split(';').filter(|param| !is_method(param)).collect();
    Cow::Owned(format!("{}{}", &uri[..params], kept.join(";")))
}

/// Our Record-Route value for one side. It is a `sips` one where the request asks for TLS on every hop (section 16.6 item 4).
fn own_route(token: &str, flow: Flow, secure: bool) -> Text {
    let mut text = Text::new();
    text.push(if secure { "<sips:" } else { "<sip:" }).push(token).push("@").push_address(flow.local);
    match flow.transport {
        Transport::Udp => {}
        Transport::Tls if secure => {}
        Transport::Wss if secure => {
            text.push(";transport=ws");
        }
        transport => {
            text.push(";transport=").push(transport.as_param());
        }
    }
    text.push(";lr>");
    text
}

#[cfg(test)]
mod tests;
