use routing::Limits;
use sip_message::{HeaderName, Message, NameAddr};
use sip_proxy::{Edits, HeaderEdit};
use sip_registrar::AddressOfRecord;
use std::sync::Arc;

/// Why a call goes elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Always,
    Busy,
    NoAnswer,
    NotRegistered,
}

impl Cause {
    /// The status that stands for it (RFC 4458 section 2).
    fn status(self) -> u16 {
        match self {
            Cause::Always => 302,
            Cause::Busy => 486,
            Cause::NoAnswer => 408,
            Cause::NotRegistered => 404,
        }
    }

    /// The word for it (RFC 5806 section 4.1).
    fn word(self) -> &'static str {
        match self {
            Cause::Always => "unconditional",
            Cause::Busy => "user-busy",
            Cause::NoAnswer => "no-answer",
            Cause::NotRegistered => "unavailable",
        }
    }
}

/// One forward that a call has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diversion {
    /// Who has forwarded it.
    pub(crate) user: AddressOfRecord,
    /// What their calls may come to, where that is not the usual.
    pub(crate) limits: Option<Arc<Limits>>,
    pub(crate) cause: Cause,
    /// Where to.
    pub(crate) to: String,
}

/// Users that one call may be forwarded by; what the last of them has forwarded gets 480.
pub const DIVERSIONS_MAX: usize = 5;

/// What the copies of a forwarded request say of that: History-Info (RFC 7044) for those who can read it, and Diversion (RFC 5806), which
/// more can.
pub(crate) fn edits(request: &Message, trail: &[Diversion]) -> Edits {
    let mut edits = Edits::new();
    let Some(first) = trail.first() else { return edits };
    let reason = |diversion: &Diversion| format!("?Reason=SIP%3Bcause%3D{}", diversion.cause.status());
    let last = request.values(HeaderName::HistoryInfo).last();
    let mut index = match last.and_then(|value| NameAddr::parse(value).ok()?.params.get("index")) {
        // What is there was written by others, and we do not rewrite it.
        Some(index) if index.len() <= 64 && index.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
            index.to_owned()
        }
        _ => {
            let entry = format!("<sip:{}{}>;index=1", first.user, reason(first));
            edits.push(HeaderEdit::Append(HeaderName::HistoryInfo, entry));
            "1".to_owned()
        }
    };
    for (at, diversion) in trail.iter().enumerate() {
        let Diversion { cause, to, .. } = diversion;
        let next = trail.get(at + 1).map_or(String::new(), reason);
        // A URI with headers of its own gets no more of them.
        let (to, next) = to.split_once('?').map_or((to.as_str(), next.as_str()), |(to, _)| (to, ""));
        let entry = format!("<{to};cause={}{next}>;index={index}.1;mp={index}", cause.status());
        edits.push(HeaderEdit::Append(HeaderName::HistoryInfo, entry));
        index.push_str(".1");
    }
    // The latest is on top (RFC 5806 section 4).
    edits.extend(trail.iter().rev().map(|Diversion { user, cause, .. }| {
        HeaderEdit::Prepend(HeaderName::Diversion, format!("<sip:{user}>;reason={};counter=1", cause.word()))
    }));
    edits
}

#[cfg(test)]
mod tests {
    use super::{Cause, Diversion, edits};
    use sip_message::{HeaderName, Message};
    use sip_proxy::HeaderEdit;
    use sip_registrar::AddressOfRecord;

    fn request(fields: &str) -> Message {
        let text = format!(
            "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n{fields}\r\n"
        );
        Message::parse(text.into()).expect("well-formed")
    }

    fn trail(steps: &[(&str, Cause, &str)]) -> Vec<Diversion> {
        let step = |(user, cause, to): &(&str, Cause, &str)| Diversion {
            user: AddressOfRecord::new(user, "x").unwrap(),
            limits: None,
            cause: *cause,
            to: (*to).to_owned(),
        };
        steps.iter().map(step).collect()
    }

    fn values(fields: &str, steps: &[(&str, Cause, &str)], wanted: HeaderName) -> Vec<String> {
        let value = |edit| match edit {
            HeaderEdit::Append(name, value) | HeaderEdit::Prepend(name, value) if name == wanted => Some(value),
            _ => None,
        };
        edits(&request(fields), &trail(steps)).into_iter().filter_map(value).collect()
    }

    #[test]
    fn a_forwarded_call_says_by_whom_and_why() {
        let steps = [("b", Cause::Busy, "sip:c@x"), ("c", Cause::Always, "sip:d@y?a=b")];
        assert_eq!(
            values("", &steps, HeaderName::HistoryInfo),
            [
                "<sip:b@x?Reason=SIP%3Bcause%3D486>;index=1",
                "<sip:c@x;cause=486?Reason=SIP%3Bcause%3D302>;index=1.1;mp=1",
                "<sip:d@y;cause=302>;index=1.1.1;mp=1.1",
            ]
        );
        assert_eq!(
            values("", &steps, HeaderName::Diversion),
            ["<sip:c@x>;reason=unconditional;counter=1", "<sip:b@x>;reason=user-busy;counter=1"]
        );
        let steps = [("b", Cause::NoAnswer, "tel:+1"), ("c", Cause::NotRegistered, "sip:v@x")];
        assert_eq!(
            values("", &steps, HeaderName::Diversion),
            ["<sip:c@x>;reason=unavailable;counter=1", "<sip:b@x>;reason=no-answer;counter=1"]
        );
        assert!(edits(&request(""), &[]).is_empty());
    }

    #[test]
    fn history_goes_on_where_others_have_left_it() {
        let steps = [("b", Cause::Busy, "sip:c@x")];
        let history = "History-Info: <sip:z@z>;index=1, <sip:b@x>;index=1.2;rc=1\r\n";
        assert_eq!(values(history, &steps, HeaderName::HistoryInfo), ["<sip:c@x;cause=486>;index=1.2.1;mp=1.2"]);
        let nonsense = "History-Info: <sip:z@z>;index=evil\r\n";
        assert_eq!(values(nonsense, &steps, HeaderName::HistoryInfo).len(), 2);
    }
}
