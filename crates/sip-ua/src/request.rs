use crate::auth::{Auth, Signed};
use crate::{Body, CallId, Config, Dialog, Identity, RegistrationId};
use bytes::Bytes;
use engine::Rng;
use sip_message::{Builder, HeaderName, Message, Method, Transport};
use sip_transaction::{ClientTransactionId, Flow};
use std::collections::VecDeque;

/// A request outside of calls, by our number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A question to the parent, by our number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Whose request it is: who is told what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    Invite(CallId),
    /// To the 2xx with this To tag, an answer to the INVITE with this number.
    Ack(u64, Option<String>),
    Bye(CallId),
    /// Of a dialog that came of one answer too many.
    ByeOfExtra,
    Register(RegistrationId),
    Plain,
}

/// The Contact that a request carries.
#[derive(Debug, Clone)]
pub(crate) enum Contact {
    None,
    User(String),
    /// A binding, with its lifetime in seconds.
    Binding(String, u32),
}

/// Who we say we are.
#[derive(Debug)]
pub(crate) enum From {
    /// The value of From.
    Value(String),
    /// Somebody whose From may depend on where the request is sent from, and the tag.
    Identity(Box<Identity>, String),
}

/// A request that we place, through all its attempts: other next hops, challenges, a stream instead of datagrams.
///
/// An attempt adds to it what depends on the flow: Via, Contact, the transport.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) purpose: Purpose,
    pub(crate) method: Method,
    pub(crate) uri: String,
    pub(crate) routes: Vec<String>,
    pub(crate) from: From,
    pub(crate) to: String,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) contact: Contact,
    pub(crate) fields: Vec<(HeaderName, String)>,
    pub(crate) body: Option<Body>,
    pub(crate) auth: Auth,
    /// The signatures it carries.
    pub(crate) signatures: Vec<(HeaderName, String)>,
    /// Where it may still be sent, best first.
    pub(crate) flows: VecDeque<Flow>,
    /// The attempt that is under way.
    pub(crate) sent: Option<Sent>,
    /// Of an INVITE: the ACKs to its 2xx.
    pub(crate) acks: Vec<Acked>,
}

/// An attempt that is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) transaction: ClientTransactionId,
    pub(crate) flow: Flow,
    /// Where its Contact says that we are: another flow than the one used when that is a stream only because the request is
    /// large (RFC 3261 section 18.1.1).
    pub(crate) reachable: Flow,
}

/// The ACK to a 2xx, to be sent again whenever that comes again (RFC 3261 section 13.2.2.4).
#[derive(Debug)]
pub(crate) struct Acked {
    /// The To tag of the 2xx.
    pub(crate) tag: Option<String>,
    /// What was sent, once it was.
    pub(crate) sent: Option<(Flow, Bytes)>,
}

impl Request {
    /// A request outside of a dialog, without fields of its own and without a body.
    pub(crate) fn new(purpose: Purpose, method: Method, identity: &Identity, to: &str, rng: &mut Rng) -> Request {
        Request {
            purpose,
            method,
            uri: to.to_owned(),
            routes: Vec::new(),
            from: From::Identity(Box::new(identity.clone()), rng.token(TAG_LENGTH)),
            to: format!("<{to}>"),
            call_id: rng.token(CALL_ID_LENGTH),
            cseq: 1,
            contact: Contact::None,
            fields: Vec::new(),
            body: None,
            auth: Auth::new(identity.credentials.clone()),
            signatures: Vec::new(),
            flows: VecDeque::new(),
            sent: None,
            acks: Vec::new(),
        }
    }

    /// A request inside `dialog`; an ACK has the number of its INVITE, any other the next one (RFC 3261 section 12.2.1.1).
    pub(crate) fn inside(purpose: Purpose, method: Method, dialog: &mut Dialog, auth: Auth) -> Request {
        let (uri, routes) = dialog.target();
        Request {
            purpose,
            method,
            uri,
            routes,
            from: From::Value(dialog.local.clone()),
            to: dialog.remote.clone(),
            call_id: dialog.call_id.clone(),
            cseq: if method == Method::Ack { dialog.local_cseq } else { dialog.next_cseq() },
            contact: Contact::None,
            fields: Vec::new(),
            body: None,
            auth,
            signatures: Vec::new(),
            flows: VecDeque::new(),
            sent: None,
            acks: Vec::new(),
        }
    }

    /// Signs it with what is known from earlier challenges. Once, when URI and body are final.
    pub(crate) fn sign(&mut self, rng: &mut Rng) {
        let signed = Signed {
            method: self.method.as_str(),
            uri: &self.uri,
            body: self.body.as_ref().map_or(&[], |body| &body.bytes),
        };
        self.signatures = self.auth.sign(signed, rng);
    }

    /// Signs it again as a 401 or 407 asks; `false` when that will not help.
    pub(crate) fn answer_challenge(&mut self, challenge: &Message, rng: &mut Rng) -> bool {
        let signed = Signed {
            method: self.method.as_str(),
            uri: &self.uri,
            body: self.body.as_ref().map_or(&[], |body| &body.bytes),
        };
        let Some((name, value)) = self.auth.answer(challenge, signed, rng) else { return false };
        self.signatures.retain(|(earlier, _)| *earlier != name);
        self.signatures.push((name, value));
        true
    }

    /// Its bytes for one attempt: over `flow`, with `branch`; the peer is to call us back at `reachable`.
    pub(crate) fn bytes(&self, config: &Config, branch: &str, flow: &Flow, reachable: &Flow) -> Bytes {
        let mut builder = Builder::request(self.method.as_str(), &self.uri)
            .header(HeaderName::Via, format_args!("SIP/2.0/{} {};branch={branch};rport", flow.transport, flow.local))
            .header(HeaderName::MaxForwards, 70);
        for route in &self.routes {
            builder = builder.header(HeaderName::Route, route);
        }
        let from = match &self.from {
            From::Value(value) => value.clone(),
            From::Identity(identity, tag) => format!("{};tag={tag}", identity.name_addr(Some(reachable.local))),
        };
        builder = builder
            .header(HeaderName::From, from)
            .header(HeaderName::To, &self.to)
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format_args!("{} {}", self.cseq, self.method));
        builder = match &self.contact {
            Contact::None => builder,
            Contact::User(user) => builder.header(HeaderName::Contact, contact(user, reachable, self.is_secure())),
            Contact::Binding(user, expires_s) => builder.header(
                HeaderName::Contact,
                format_args!("{};expires={expires_s}", contact(user, reachable, self.is_secure())),
            ),
        };
        for (name, value) in self.signatures.iter().chain(&self.fields) {
            builder = builder.header(*name, value);
        }
        builder = builder.header(HeaderName::UserAgent, &config.product);
        match &self.body {
            Some(body) => builder.body(&body.content_type, &body.bytes).finish(),
            None => builder.finish(),
        }
    }

    fn is_secure(&self) -> bool {
        self.uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"))
    }
}

/// The value of a Contact at which `flow`'s local end is reached.
pub(crate) fn contact(user: &str, flow: &Flow, secure: bool) -> String {
    let at = if user.is_empty() { "" } else { "@" };
    let (scheme, transport) = match flow.transport {
        Transport::Udp => ("sip", ""),
        Transport::Tcp => ("sip", ";transport=tcp"),
        Transport::Tls if secure => ("sips", ""),
        Transport::Tls => ("sip", ";transport=tls"),
        Transport::Ws => ("sip", ";transport=ws"),
        Transport::Wss if secure => ("sips", ";transport=ws"),
        Transport::Wss => ("sip", ";transport=wss"),
    };
    format!("<{scheme}:{user}{at}{}{transport}>", flow.local)
}

/// Letters in a tag of ours: 60 bits (RFC 3261 section 19.3 wants 32 at least).
pub(crate) const TAG_LENGTH: usize = 12;
/// Letters in a Call-ID of ours: 120 bits.
pub(crate) const CALL_ID_LENGTH: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 section 8.1.1.8: who asks for TLS on every hop can be reached so.
    #[test]
    fn a_contact_is_as_safe_as_the_request() {
        let flow = |transport| Flow {
            transport,
            local: ([10, 0, 0, 1], 5061).into(),
            remote: ([10, 0, 0, 2], 5061).into(),
            connection: None,
        };
        for (transport, plain, secure) in [
            (Transport::Tls, "<sip:a@10.0.0.1:5061;transport=tls>", "<sips:a@10.0.0.1:5061>"),
            (Transport::Wss, "<sip:a@10.0.0.1:5061;transport=wss>", "<sips:a@10.0.0.1:5061;transport=ws>"),
        ] {
            assert_eq!(contact("a", &flow(transport), false), plain);
            assert_eq!(contact("a", &flow(transport), true), secure);
        }
        assert_eq!(contact("", &flow(Transport::Tcp), false), "<sip:10.0.0.1:5061;transport=tcp>");
    }
}
