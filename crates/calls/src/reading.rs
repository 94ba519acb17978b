//! What messages say about the way to an end. It is kept as it stood, and read when somebody asks.

use engine::Mac;
use sip_message::{HeaderName, Message, NameAddr, Uri, split_commas};
use sip_proxy::{Dialog, RouteToken};
use sip_transaction::Flow;

/// The Contact field of a message, whatever it says; empty when there is none.
pub(crate) fn contact_text(message: &Message) -> &str {
    message.header(HeaderName::Contact).unwrap_or("")
}

/// The URI of the first address in a Contact field: where its sender takes requests (RFC 3261 section 12.1). `None` when there is none
/// that could be a Request-URI.
pub(crate) fn contact_uri(text: &str) -> Option<&str> {
    let contact = NameAddr::parse(split_commas(text).next()?).ok()?;
    contact.uri_parsed().ok()?;
    Some(contact.uri)
}

/// The Record-Route fields of a message, as one.
pub(crate) fn route_text(message: &Message) -> Box<str> {
    let mut fields = message.fields(HeaderName::RecordRoute);
    let Some(first) = fields.next() else { return "".into() };
    let Some(second) = fields.next() else { return first.into() };
    let mut text = format!("{first},{second}");
    for field in fields {
        text.push(',');
        text.push_str(field);
    }
    text.into()
}

/// The Record-Route values of a request as it came to us: the way back to its sender, nearest first (section 12.1.1).
pub(crate) fn routes_back(text: &str) -> Vec<Box<str>> {
    values(text).map(Box::from).collect()
}

/// The way on from us to who sent a response, nearest first (section 12.1.2), and the flow that we reach it over.
///
/// What stands above our own value was added behind us. With several of ours (a spiral; two sides of ours, RFC 5658) the topmost
/// counts: it is the last time that the request passed here. A value is ours when it has a token of ours, which names the flow, too.
/// Where none is, the values below are as many as the request had (`before`).
pub(crate) fn routes_on(text: &str, mac: &Mac, dialog: &Dialog<'_>, before: usize) -> (Vec<Box<str>>, Option<Flow>) {
    let token = |value: &str| {
        let uri = NameAddr::parse(value).ok()?.uri_parsed().ok()?;
        RouteToken::read(mac, dialog, uri.user?)
    };
    let mut routes = Vec::new();
    for value in values(text) {
        if let Some(token) = token(value) {
            routes.reverse();
            return (routes, Some(token.callee));
        }
        routes.push(Box::from(value));
    }
    routes.truncate(routes.len().saturating_sub(before));
    routes.reverse();
    (routes, None)
}

/// The addresses in a Record-Route field.
pub(crate) fn values(text: &str) -> impl Iterator<Item = &str> {
    split_commas(text).filter(|value| NameAddr::parse(value).is_ok())
}

/// The shortest session interval that there may be (RFC 4028 section 4).
const SESSION_S_MIN: u32 = 90;

/// The session interval in seconds that a response sets; `None`: the session has no end of its own.
pub(crate) fn session_s(response: &Message) -> Option<u32> {
    Some(response.session_expires()?.ok()?.interval_s.max(SESSION_S_MIN))
}

/// Without what RFC 3261 section 19.1.1 forbids in a Request-URI: headers and the method parameter.
pub(crate) fn as_request_uri(uri: &str) -> String {
    let uri = uri.split('?').next().unwrap_or(uri);
    let kept = uri.split(';').filter(|part| !part.get(..7).is_some_and(|name| name.eq_ignore_ascii_case("method=")));
    kept.collect::<Vec<_>>().join(";")
}

/// Whether a Route value is that of a loose router (section 16.12).
pub(crate) fn is_loose(route: &NameAddr<'_>) -> bool {
    Uri::parse(route.uri).is_ok_and(|uri| uri.param("lr").is_some())
}
