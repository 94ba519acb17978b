use crate::next_hop::next_hop;
use sip_message::{BadValue, Contacts, HeaderName, Message, NameAddr, NextHop, Uri};

/// A peer-to-peer relationship between two user agents (RFC 3261 section 12): what each request inside of it is made from.
///
/// Early or confirmed is not told here: that is the state of the call that holds the dialog.
#[derive(Debug, Clone)]
pub struct Dialog {
    /// The Call-ID of every message in it.
    pub call_id: String,
    /// Our own end: the value of our From, tag included.
    pub local: String,
    /// The peer's end: the value of our To, tag included when the peer has one.
    pub remote: String,
    /// The tag in `remote`; RFC 2543 knew none.
    pub remote_tag: Option<String>,
    /// The number of our latest request; 0 before the first.
    pub local_cseq: u32,
    /// The number of the peer's latest request.
    pub remote_cseq: Option<u32>,
    /// Where the peer wants requests: its Contact.
    pub remote_target: String,
    /// The proxies to pass, nearest first: values of Route.
    pub routes: Vec<String>,
}

impl Dialog {
    /// The dialog that a UAS makes when it answers `request`, adding `local_tag` to its To (section 12.1.1).
    pub fn from_request(request: &Message, local_tag: &str) -> Result<Dialog, BadValue> {
        let remote_target = contact_of(request)?.ok_or(BadValue("Contact is missing"))?;
        let routes =
            request.values(HeaderName::RecordRoute).map(|value| NameAddr::parse(value).map(|_| value.to_owned()));
        Ok(Dialog {
            call_id: request.call_id().to_owned(),
            local: format!("{};tag={local_tag}", request.header(HeaderName::To).unwrap_or_default()),
            remote: request.header(HeaderName::From).unwrap_or_default().to_owned(),
            remote_tag: request.from_tag().map(str::to_owned),
            local_cseq: 0,
            remote_cseq: Some(request.cseq()?.number),
            remote_target,
            routes: routes.collect::<Result<_, _>>()?,
        })
    }

    /// The dialog that a UAC makes from a 101-199 or 2xx to its INVITE, which went to `request_uri` (section 12.1.2).
    ///
    /// A response without a usable Contact (many a 180) leaves the Request-URI as the remote target; Record-Route values
    /// that are no addresses are left out.
    pub fn from_response(response: &Message, request_uri: &str) -> Result<Dialog, BadValue> {
        let contact = contact_of(response).ok().flatten();
        let mut routes: Vec<String> = response
            .values(HeaderName::RecordRoute)
            .filter(|value| NameAddr::parse(value).is_ok())
            .map(str::to_owned)
            .collect();
        routes.reverse();
        Ok(Dialog {
            call_id: response.call_id().to_owned(),
            local: response.header(HeaderName::From).unwrap_or_default().to_owned(),
            remote: response.header(HeaderName::To).unwrap_or_default().to_owned(),
            remote_tag: response.to_tag().map(str::to_owned),
            local_cseq: response.cseq()?.number,
            remote_cseq: None,
            remote_target: contact.unwrap_or_else(|| request_uri.to_owned()),
            routes,
        })
    }

    /// The number for our next request.
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq += 1;
        self.local_cseq
    }

    /// Takes note of the number of the peer's request; `false` when an older one comes late, which earns a 500 (section 12.2.2).
    pub fn take_cseq(&mut self, number: u32) -> bool {
        let in_order = self.remote_cseq.is_none_or(|latest| number >= latest);
        if in_order {
            self.remote_cseq = Some(number);
        }
        in_order
    }

    /// A target refresh: the peer's Contact in a re-INVITE or in the 2xx to ours, when there is one (sections 12.2.1.2 and 12.2.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Ok(Some(contact)) = contact_of(message) {
            self.remote_target = contact;
        }
    }

    /// The Request-URI and the Route values of a request inside the dialog (section 12.2.1.1): a first route without `lr` is a
    /// strict router, which takes the place of the Request-URI and sends that to the end of the route.
    pub fn target(&self) -> (String, Vec<String>) {
        let first = self.routes.first().and_then(|route| NameAddr::parse(route).ok());
        match first {
            Some(first) if !is_loose(first.uri) => {
                let mut routes = self.routes[1..].to_vec();
                routes.push(format!("<{}>", self.remote_target));
                (as_request_uri(first.uri), routes)
            }
            _ => (self.remote_target.clone(), self.routes.clone()),
        }
    }

    /// Where a request inside the dialog goes first; `None` when that is no SIP URI.
    pub fn next_hop(&self) -> Option<NextHop> {
        let first = self.routes.first().and_then(|route| NameAddr::parse(route).ok());
        next_hop(first.map_or(self.remote_target.as_str(), |first| first.uri))
    }
}

fn is_loose(uri: &str) -> bool {
    Uri::parse(uri).is_ok_and(|uri| uri.param("lr").is_some())
}

/// Without what section 19.1.1 forbids in a Request-URI: headers and the method parameter.
fn as_request_uri(uri: &str) -> String {
    let uri = uri.split('?').next().unwrap_or(uri);
    let kept = uri.split(';').filter(|part| !part.get(..7).is_some_and(|name| name.eq_ignore_ascii_case("method=")));
    kept.collect::<Vec<_>>().join(";")
}

/// The one SIP URI in a message's Contact, where the peer takes requests (section 12.1).
fn contact_of(message: &Message) -> Result<Option<String>, BadValue> {
    let Contacts::List(contacts) = message.contacts()? else { return Err(BadValue("Contact is a star")) };
    let Some(contact) = contacts.first() else { return Ok(None) };
    next_hop(contact.uri).ok_or(BadValue("Contact is no SIP URI"))?;
    Ok(Some(contact.uri.to_owned()))
}
