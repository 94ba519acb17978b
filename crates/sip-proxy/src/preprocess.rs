use crate::{Dialog, Edits, FlowToken, RouteToken};
use engine::Mac;
use sip_message::{HeaderName, NameAddr, Uri};
use sip_transaction::{Flow, Packet};

/// What the Route fields of a request say (RFC 3261 section 16.4), with our own values taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preprocessed {
    /// Leading Route values that are ours and go.
    pub own_routes: usize,
    /// The Request-URI that a strict router has moved to the end of Route; it comes back to its place.
    pub restored_uri: Option<String>,
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
        onward: None,
        edge_flow: None,
        next_route: None,
        proved: false,
        edits: Edits::new(),
    };
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
                found.edge_flow = edge.filter(|flow| *flow != packet.flow).or(found.edge_flow);
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use sip_message::{Host, Message, Transport};

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
}
