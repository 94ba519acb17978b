use crate::config::{Body, Identity, Route};
use crate::request::{Contact, Purpose, Request};
use crate::{RequestId, UserAgent};
use engine::Now;
use sip_message::{HeaderName, Method};
use sip_transaction::TransactionLayer;

/// A request that is neither in a call nor about a registration: OPTIONS (RFC 3261 section 11), MESSAGE (RFC 3428).
#[derive(Debug, Clone)]
pub struct Plain {
    /// Its method.
    pub method: Method,
    /// Whom it is for: a SIP URI, which becomes Request-URI and To.
    pub uri: String,
    /// Whom it is from.
    pub identity: Identity,
    /// Its way.
    pub route: Route,
    /// What it carries.
    pub body: Option<Body>,
}

impl UserAgent {
    /// Sends a request outside of calls; [`Event::Replied`](crate::Event::Replied) says what came of it.
    pub fn request(&mut self, now: Now, layer: &mut TransactionLayer, plain: Plain) -> RequestId {
        let mut request = Request::new(Purpose::Plain, plain.method, &plain.identity, &plain.uri, &mut self.rng);
        if plain.method == Method::Options {
            request.contact = Contact::User(plain.identity.contact_user);
            request.fields.push((HeaderName::Accept, self.config.accept.to_owned()));
        }
        request.body = plain.body;
        let way = self.way(&plain.route, &plain.uri);
        RequestId(self.place(now, layer, request, way))
    }
}
