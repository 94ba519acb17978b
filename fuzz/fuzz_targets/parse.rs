//! Any bytes at all: the parser, every typed view, edits, replies, `inspect` and the framer. Nothing may panic, and
//! - an edit that edits nothing gives the old bytes back;
//! - what we write about a message, we can read;
//! - what `inspect` calls valid, the parser takes;
//! - a stream gives the same frames however it is cut into pieces.

#![no_main]

use bytes::Bytes;
use sip_message::{
    AuthValue, Builder, CallerPreferences, Edit, Frame, FrameError, Framer, HeaderName, Host, Message, NameAddr, Part,
    RetryAfter, SessionExpires, SessionId, TelephoneNumber, Uri, Via, inspect, unescape, unfold, unquote,
};
use std::net::SocketAddr;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let source = SocketAddr::from(([192, 0, 2, 1], 5060));
    let verdict = inspect(data);
    match Message::parse(Bytes::copy_from_slice(data)) {
        Ok(message) => {
            look_at_everything(&message);
            write_about(&message, source);
        }
        Err(malformed) => {
            assert!(!verdict.valid, "inspect takes what the parser does not");
            if let Some(reply) = malformed.reply(source) {
                // It gives the peer its own fields back, with whatever cannot be read in them; the status line is ours.
                let status = malformed.defect.status().expect("an answer has a status");
                assert!(reply.starts_with(format!("SIP/2.0 {status} ").as_bytes()));
            }
        }
    }
    let whole = frames(&[data]);
    let at = data.first().map_or(0, |byte| usize::from(*byte) * data.len() / 256);
    let (head, tail) = data.split_at(at);
    let cut = frames(&[head, tail]);
    // What a single CR LF means depends on whether the second is there yet; messages do not.
    let messages = |(frames, error): (Vec<Frame>, Option<FrameError>)| {
        let messages: Vec<Frame> = frames.into_iter().filter(|frame| matches!(frame, Frame::Message(_))).collect();
        (messages, error)
    };
    assert_eq!(messages(whole), messages(cut), "the same stream in two pieces");
});

fn look_at_everything(message: &Message) {
    let _ = (message.method(), message.method_text(), message.status(), message.reason(), message.body());
    let _ = (message.top_via(), message.from(), message.to(), message.cseq(), message.call_id(), message.contacts());
    let _ = (message.first_route(), message.max_forwards(), message.expires(), message.from_tag(), message.to_tag());
    look_at_uri(message.request_uri());
    for name in HeaderName::ALL {
        for value in message.values(*name) {
            look_at_value(value);
        }
    }
    let _ = (message.violations(true), message.privacy().count(), message.min_se(), message.max_breadth());
    let contacts: Vec<_> = message.addresses(HeaderName::Contact).filter_map(Result::ok).collect();
    let contacts: Vec<_> = contacts.iter().map(|contact| (contact.q().unwrap_or(0), contact.params)).collect();
    assert!(CallerPreferences::of(message).order(&contacts).len() <= contacts.len());
    if let Some(kind) = message.header(HeaderName::ContentType) {
        let _ = Part::all(kind, message.body());
    }
    for field in message.all_fields() {
        assert_eq!(HeaderName::from_bytes(field.name_text.as_bytes()), field.name);
        look_at_value(field.value);
    }
}

fn look_at_value(text: &str) {
    let _ = (unfold(text), unquote(text), unescape(text));
    if let Ok(address) = NameAddr::parse(text) {
        look_at_uri(address.uri);
        let _ = (address.tag(), address.q(), address.expires(), address.params.iter().count());
    }
    if let Ok(via) = Via::parse(text) {
        let _ = (via.branch(), via.received(), via.rport(), via.params.iter().count());
    }
    if let Ok(value) = AuthValue::parse(text) {
        let _ = (value.get("nonce"), value.iter().count());
    }
    let _ = Host::parse(text).map(|host| host.ip());
    let _ = (SessionExpires::parse(text), SessionId::parse(text), RetryAfter::parse(text));
    if let Ok(number) = TelephoneNumber::parse(text) {
        assert_eq!(
            TelephoneNumber::parse(&number.to_string()).as_ref(),
            Ok(&number),
            "its own form is the same number"
        );
    }
}

fn look_at_uri(text: &str) {
    if let Ok(uri) = Uri::parse(text) {
        let _ = (uri.param("lr"), uri.transport(), uri.user_unescaped(), uri.params.iter().count());
        // Not always true of itself: a parameter that stands twice with two values equals nothing.
        let _ = uri.equivalent(&uri);
        if let Some(number) = TelephoneNumber::of(&uri) {
            let _ = Uri::parse(&number.to_sip("h")).expect("the SIP URI of a number can be read");
        }
    }
}

fn write_about(message: &Message, source: SocketAddr) {
    // What follows the body (RFC 3261 section 18.3) is not part of the message.
    let same = Edit::new(message).finish();
    assert!(message.bytes().starts_with(&same) && same.ends_with(message.body()), "an edit that edits nothing");
    let via = "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKfuzz";
    let forwarded = Edit::new(message).prepend(HeaderName::Via, via).set(HeaderName::MaxForwards, 69).finish();
    // It may have become too long, nothing else.
    if forwarded.len() < sip_message::MESSAGE_BYTES_MAX && message.all_fields().count() + 2 < sip_message::HEADERS_MAX {
        let forwarded = Message::parse(forwarded).expect("what we forward can be read");
        assert_eq!(forwarded.top_via().expect("our Via").branch(), Some("z9hG4bKfuzz"));
        assert_eq!(forwarded.max_forwards(), Ok(Some(69)));
        assert_eq!(forwarded.call_id(), message.call_id());
        assert_eq!(forwarded.body(), message.body());
        let back = Edit::new(&forwarded).remove_first_values(HeaderName::Via, 1).finish();
        assert!(Message::parse(back).is_ok(), "a Via removed again");
    }
    if message.is_request() {
        let reply = Builder::reply(message, 404, source).to_tag("fuzz").finish();
        // It has one field more only than a request that is nothing but what is copied, without Content-Length.
        let room = message.all_fields().count() < sip_message::HEADERS_MAX;
        let room = room || message.header(HeaderName::ContentLength).is_some();
        if reply.len() < sip_message::MESSAGE_BYTES_MAX && room {
            let reply = Message::parse(reply).expect("a reply of ours can be read");
            // Line breaks and control characters may have become spaces.
            let visible = |text: &str| text.split(|c: char| c <= ' ').collect::<String>();
            assert_eq!((reply.status(), visible(reply.call_id())), (404, visible(message.call_id())));
        }
    }
}

/// Every frame of a stream that comes in these pieces, and the error that ends it.
fn frames(pieces: &[&[u8]]) -> (Vec<Frame>, Option<FrameError>) {
    let mut framer = Framer::new();
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
