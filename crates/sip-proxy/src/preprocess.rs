use crate::{Dialog, Edits, FlowToken, RouteToken};
use engine::Mac;
use sip_message::{HeaderName, NameAddr, Scheme, Transport, Uri};
use sip_transaction::{Flow, Packet};

/// What the Route fields of a request say (RFC 3261 section 16.4), with our own values taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preprocessed {
    /// Leading Route values that are ours and go.
    pub own_routes: usize,
    /// The Request-URI that a strict router has moved to the end of Route; it comes back to its place.
    pub restored_uri: Option<String>,
    /// The Request-URI without a `maddr` that is ours (RFC 3261 section 16.4).
    pub stripped_uri: Option<String>,
    /// The flow that our Record-Route promised to this dialog, when a token of ours came back.
    pub onward: Option<Flow>,
    /// The flow that a [`FlowToken`] of ours names: the request goes over it to the phone at its other end (RFC 5626 section 5.3). It is
    /// nobody's proof that they may send it.
    pub edge_flow: Option<Flow>,
    /// The URI of the first Route value that is not ours: where the request must go next.
    pub next_route: Option<String>,
    /// Whether its sender has proved who they are; that is the parent's to say, who knows users.
    pub proved: bool,
    /// What is changed in every copy, before the changes of its target; the parent's, too, who knows whom to vouch for.
    pub edits: Edits,
}

impl Preprocessed {
    /// The Request-URI to go on with, when it is not that of the request.
    pub(crate) fn changed_uri(&self) -> Option<&str> {
        self.restored_uri.as_deref().or(self.stripped_uri.as_deref())
    }

    /// Whether the Route fields lead away from here, whatever the Request-URI is.
    pub fn leads_on(&self) -> bool {
        self.onward.is_some() || self.edge_flow.is_some() || self.next_route.is_some()
    }

    /// Whether a token shows that the request belongs to a dialog that we let through before.
    pub fn in_known_dialog(&self) -> bool {
        self.onward.is_some()
    }
}

/// Reads the Route fields of the request `packet`. `is_ours` says whether a URI without a token names this proxy (its host and port).
pub fn preprocess(packet: &Packet, mac: &Mac, is_ours: impl Fn(&Uri<'_>) -> bool) -> Preprocessed {
    let request = &packet.message;
    let mut found = Preprocessed {
        own_routes: 0,
        restored_uri: None,
        stripped_uri: None,
        onward: None,
        edge_flow: None,
        next_route: None,
        proved: false,
        edits: Edits::new(),
    };
    if request.request_uri().contains(';') {
        found.stripped_uri = without_own_maddr(packet, &is_ours);
    }
    let routes = request.values(HeaderName::Route).count();
    if routes == 0 {
        return found;
    }
    let mut left = routes;
    // Only what is inside a dialog may use the way that the dialog was given.
    let dialog = request.to_tag().map(|_| Dialog::of(request));
    let onward_of = |uri: &Uri<'_>| {
        let (user, dialog) = uri.user.zip(dialog.as_ref())?;
        Some(RouteToken::read(mac, dialog, user)?.onward(mac, dialog))
    };
    // A strict router in front of us has put our own Record-Route value into the Request-URI.
    if let Some(onward) = request.request_uri_parsed().ok().as_ref().and_then(onward_of) {
        found.onward = Some(onward);
        found.restored_uri = request
            .values(HeaderName::Route)
            .last()
            .and_then(|value| NameAddr::parse(value).ok())
            .map(|address| address.uri.to_owned());
        left -= 1;
    }
    for value in request.values(HeaderName::Route).take(left) {
        if value.is_empty() {
            // `Route:` or `Route: ,` leads nowhere, not elsewhere.
            found.own_routes += 1;
            continue;
        }
        let address = NameAddr::parse(value).ok();
        let uri = address.as_ref().and_then(|address| address.uri_parsed().ok());
        match (uri.as_ref().and_then(onward_of), uri, address) {
            (Some(onward), ..) => found.onward = Some(onward),
            (None, Some(uri), _) if is_ours(&uri) => {
                // What came over the very flow is on its way out (RFC 5626 section 5.3.1).
                let edge = uri.user.and_then(|user| FlowToken::read(mac, user)).map(|token| token.0);
                let source = |flow: &Flow| (flow.transport, flow.remote);
                found.edge_flow = edge.filter(|flow| source(flow) != source(&packet.flow)).or(found.edge_flow);
            }
            (None, _, address) => {
                found.next_route = Some(address.map_or(value, |address| address.uri).to_owned());
                break;
            }
        }
        found.own_routes += 1;
    }
    found
}

/// The Request-URI without `maddr`, port and transport, when all three mean this proxy as it was reached.
fn without_own_maddr(packet: &Packet, is_ours: impl Fn(&Uri<'_>) -> bool) -> Option<String> {
    let text = packet.message.request_uri();
    let uri = Uri::parse(text).ok()?;
    let maddr = uri.param("maddr").filter(|maddr| !maddr.is_empty())?;
    let secure = uri.scheme == Scheme::Sips;
    let default = if secure { Transport::Tls } else { Transport::Udp };
    let transport = uri.transport().unwrap_or(default);
    let port = uri.port.unwrap_or(transport.default_port());
    let meant = format!("sip:{maddr}:{port}");
    if (transport, port) != (packet.flow.transport, packet.flow.local.port()) || !is_ours(&Uri::parse(&meant).ok()?) {
        return None;
    }
    let host_at = text.find('@').map_or(text.find(':')?, |at| at) + 1;
    let end = text[host_at..].find([';', '?']).map_or(text.len(), |at| host_at + at);
    let kept = if uri.port.is_some() { text[..end].rsplit_once(':')?.0 } else { &text[..end] };
    let mut stripped = kept.to_owned();
    for (name, value) in uri.params.iter() {
        if !name.eq_ignore_ascii_case("maddr") && !name.eq_ignore_ascii_case("transport") {
            stripped.push(';');
            stripped.push_str(name);
            if let Some(value) = value {
                stripped.push('=');
                stripped.push_str(value);
            }
        }
    }
    Some(stripped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use sip_message::{Host, Message};
    use sip_transaction::ConnectionId;

    fn request(uri: &str, routes: &[&str]) -> Message {
        let routes: String = routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
        let text = format!(
            "BYE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n{routes}From: <sip:a@a>;tag=ft\r\nTo: <sip:b@b>;tag=tt\r\nCall-ID: 1\r\nCSeq: 2 BYE\r\n\r\n"
        );
        Message::parse(Bytes::from(text)).expect("well-formed")
    }

    #[test]
    fn our_routes_go_and_others_stay() {
        let mac = Mac::from_key([1; 16]);
        let flow = |port: u16| Flow {
            transport: Transport::Udp,
            local: ([10, 0, 0, 1], 5060).into(),
            remote: ([10, 0, 0, 9], port).into(),
            connection: None,
        };
        let first = request("sip:b@b", &[]);
        let dialog = Dialog::of(&first);
        let token = RouteToken::new(&mac, flow(1), flow(2), &dialog).write(&mac, &dialog);
        let own = format!("<sip:{token}@10.0.0.1:5060;lr>");
        let ours = |uri: &Uri<'_>| uri.host == Host::V4([10, 0, 0, 1].into()) && uri.port == Some(5060);
        let look = |uri: &str, routes: &[&str]| {
            let packet = Packet { flow: flow(1), message: request(uri, routes) };
            let found = preprocess(&packet, &mac, ours);
            (found.own_routes, found.onward.map(|flow| flow.remote.port()), found.next_route, found.restored_uri)
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(look("sip:b@b", &[]), (0, None, None, None));
        assert_eq!(look("sip:b@b", &[&own]), (1, Some(2), None, None));
        assert_eq!(look("sip:b@b", &[&own, &own]), (2, Some(2), None, None));
        assert_eq!(look("sip:b@b", &["<sip:10.0.0.1:5060;lr>"]), (1, None, None, None));
        assert_eq!(look("sip:b@b", &["<sip:10.0.0.1:5070;lr>"]), (0, None, text("sip:10.0.0.1:5070;lr"), None));
        assert_eq!(look("sip:b@b", &[&format!("{own}, <sip:other;lr>")]), (1, Some(2), text("sip:other;lr"), None));
        assert_eq!(look("sip:b@b", &["<sip:other;lr>", &own]), (0, None, text("sip:other;lr"), None));
        assert_eq!(look("sip:b@b", &[""]), (1, None, None, None));
        assert_eq!(look("sip:b@b", &[",", &own, ", <sip:other;lr>"]), (4, Some(2), text("sip:other;lr"), None));
        let forged = token.replacen('A', "B", 1);
        assert_eq!(look("sip:b@b", &[&format!("<sip:{forged}@10.0.0.1:5060;lr>")]), (1, None, None, None));
        let strict = format!("sip:{token}@10.0.0.1:5060;lr");
        assert_eq!(look(&strict, &["<sip:b@b>"]), (0, Some(2), None, text("sip:b@b")));
        assert_eq!(
            look(&strict, &["<sip:other;lr>", "<sip:b@b>"]),
            (0, Some(2), text("sip:other;lr"), text("sip:b@b"))
        );
    }

    /// RFC 5626 sections 5.3 to 5.3.2.
    #[test]
    fn a_flow_token_leads_over_its_flow_unless_the_request_came_by_it() {
        let mac = Mac::from_key([1; 16]);
        let edge = Flow {
            transport: Transport::Tcp,
            local: ([10, 0, 0, 1], 5060).into(),
            remote: ([10, 0, 0, 7], 40_000).into(),
            connection: Some(ConnectionId(3)),
        };
        let other = Flow { remote: ([10, 0, 0, 8], 5060).into(), ..edge };
        let path = FlowToken(edge).path(&mac, edge, true).to_string();
        let forged = path.replacen("sip:", "sip:x", 1);
        for (from, route, expected) in [
            (other, &path, Some(edge)),
            (edge, &path, None),
            (Flow { connection: Some(ConnectionId(4)), ..edge }, &path, None),
            (other, &forged, None),
        ] {
            let packet = Packet { flow: from, message: request("sip:b@b", &[route]) };
            let found = preprocess(&packet, &mac, |uri| uri.host == Host::V4([10, 0, 0, 1].into()));
            assert_eq!((found.edge_flow, found.own_routes, found.leads_on()), (expected, 1, expected.is_some()));
            assert!(!found.in_known_dialog());
        }
    }

    /// RFC 3261 section 16.4.
    #[test]
    fn a_maddr_of_ours_is_stripped_when_it_was_reached_as_it_says() {
        let mac = Mac::from_key([1; 16]);
        let flow = |transport, port| Flow {
            transport,
            local: ([10, 0, 0, 1], port).into(),
            remote: ([10, 0, 0, 7], 5060).into(),
            connection: None,
        };
        let udp = flow(Transport::Udp, 5060);
        for (from, uri, expected) in [
            (udp, "sip:b@far;maddr=10.0.0.1", Some("sip:b@far")),
            (udp, "sip:b@far:5060;p=1;maddr=10.0.0.1;lr;transport=udp", Some("sip:b@far;p=1;lr")),
            (flow(Transport::Tcp, 5070), "sip:far:5070;maddr=10.0.0.1;transport=tcp", Some("sip:far")),
            (flow(Transport::Tls, 5061), "sips:b@[::1];maddr=10.0.0.1", Some("sips:b@[::1]")),
            (udp, "sip:b@far;maddr=10.0.0.2", None),
            (udp, "sip:b@far;maddr=", None),
            (udp, "sip:b@far:5070;maddr=10.0.0.1", None),
            (udp, "sip:b@far;maddr=10.0.0.1;transport=tcp", None),
            (udp, "sip:b@far;p=maddr", None),
        ] {
            let packet = Packet { flow: from, message: request(uri, &[]) };
            let found = preprocess(&packet, &mac, |uri| uri.host == Host::V4([10, 0, 0, 1].into()));
            assert_eq!(found.stripped_uri.as_deref(), expected, "{uri}");
        }
    }
}
