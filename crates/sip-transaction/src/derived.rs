use bytes::Bytes;
use sip_message::{Builder, HeaderName, Message};

/// The ACK to a final response other than 2xx of the INVITE in `request` (RFC 3261 section 17.1.1.3).
pub(crate) fn ack(request: &Bytes, response: &Message) -> Option<Bytes> {
    derived("ACK", request, response.header(HeaderName::To), None)
}

/// The CANCEL of the INVITE in `request` (RFC 3261 section 9.1),
/// with this Reason (RFC 3326).
pub(crate) fn cancel(request: &Bytes, reason: Option<&str>) -> Option<Bytes> {
    derived("CANCEL", request, None, reason)
}

/// A request that follows the INVITE hop by hop: its Request-URI, top Via, Route, From, Call-ID and CSeq number, and its To
/// unless there is another one. `None` if `request` is no SIP request at all.
fn derived(method: &str, request: &Bytes, to: Option<&str>, reason: Option<&str>) -> Option<Bytes> {
    let request = Message::parse(request.clone()).ok()?;
    let mut builder = Builder::request(method, request.request_uri())
        .header(HeaderName::Via, request.values(HeaderName::Via).next()?)
        .header(HeaderName::MaxForwards, 70);
    for route in request.fields(HeaderName::Route) {
        builder = builder.header(HeaderName::Route, route);
    }
    let number = request.cseq().ok()?.number;
    if let Some(reason) = reason {
        builder = builder.header(HeaderName::Reason, reason);
    }
    let bytes = builder
        .header(HeaderName::From, request.header(HeaderName::From)?)
        .header(HeaderName::To, to.or_else(|| request.header(HeaderName::To))?)
        .header(HeaderName::CallId, request.call_id())
        .header(HeaderName::CSeq, format_args!("{number} {method}"))
        .finish();
    Some(bytes)
}
