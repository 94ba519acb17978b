use super::draft::Draft;
use super::{Attempt, Script};
use crate::DOMAIN;
use bytes::Bytes;
use sip_auth::{NonceUse, answer};
use sip_message::{Builder, HeaderName, Message, Method, reason_phrase};
use sip_transaction::Flow;

/// Fields as the ladder gives them.
type Fields = [(String, String)];

impl Script {
    /// The message that `words` mean, sent over `flow`, with the ladder's own fields.
    pub(crate) fn compose(&mut self, words: &str, flow: Flow, fields: &Fields) -> Bytes {
        if let Some(raw) = words.strip_prefix('"') {
            return Bytes::from(format!("{}\r\n\r\n", raw.trim_end_matches('"')));
        }
        let bytes = match words.split_whitespace().collect::<Vec<_>>()[..] {
            [ref what @ .., "again"] => self.again(&what.join(" ")),
            [status] if is_status(status) => self.response(status, None, flow, fields),
            [status, method] if is_status(status) => self.response(status, Some(method), flow, fields),
            ["ACK"] => self.ack(flow, fields),
            ["CANCEL"] => self.cancel(fields),
            [method] => self.in_dialog(method, flow, fields),
            [method, target] => {
                // A ladder that begins with a signed request had its challenge before.
                let (mut draft, uri) = self.outside(method, target, words, flow);
                draft.change(fields);
                self.sign(&mut draft, &uri, fields);
                draft.write()
            }
            _ => panic!("{}: what is `{words}`?", self.name),
        };
        self.remember(&bytes);
        bytes
    }

    /// The request that has to be challenged first, when this script signs without being asked in the ladder.
    pub(crate) fn probe(&mut self, words: &str, flow: Flow, fields: &Fields) -> Option<Bytes> {
        let [method, target] = words.split_whitespace().collect::<Vec<_>>()[..] else { return None };
        let known = self.attempt_of(method).as_ref().is_some_and(|attempt| attempt.challenge.is_some());
        let again = target == "again" || is_status(method) || known && self.is_retry(method, words);
        if self.signing != super::Signing::Before || again || (target == "exchange" && method != "REGISTER") {
            return None;
        }
        let (mut draft, _) = self.outside(method, target, words, flow);
        draft.change(fields);
        Some(draft.write())
    }

    fn is_retry(&mut self, method: &str, words: &str) -> bool {
        // An INVITE to the same target is a new call, unless the old one was challenged and not yet signed.
        method == "REGISTER" || self.attempt.as_ref().is_some_and(|attempt| attempt.words == words)
    }

    fn attempt_of(&mut self, method: &str) -> &mut Option<Attempt> {
        if method == "REGISTER" { &mut self.registration } else { &mut self.attempt }
    }

    fn again(&mut self, words: &str) -> Bytes {
        let sent = self.sent.iter().rev().find(|sent| sent.what.starts_with(words));
        sent.unwrap_or_else(|| panic!("{} has sent no {words} yet", self.name)).bytes.clone()
    }

    fn via(&mut self, flow: Flow) -> String {
        let number = self.number();
        format!("SIP/2.0/{} {};branch=z9hG4bK-{}-{number};rport", flow.transport, self.at, self.name)
    }

    fn contact(&self, flow: Flow) -> String {
        let stream = if flow.transport.reliable() { ";transport=" } else { "" };
        let transport = if flow.transport.reliable() { flow.transport.as_param() } else { "" };
        format!("<sip:{}@{}{stream}{transport}>", self.user, self.at)
    }

    /// A request outside a dialog, and its Request-URI.
    fn outside(&mut self, method: &str, target: &str, words: &str, flow: Flow) -> (Draft, String) {
        let uri = match target {
            "exchange" => format!("sip:{DOMAIN}"),
            _ if target.contains(':') => target.to_owned(),
            user => format!("sip:{user}@{DOMAIN}"),
        };
        let register = method == "REGISTER";
        // Whoever registers goes on counting; another request is a new one, unless it was challenged.
        let number = self.number();
        let name = self.name.clone();
        let attempt = self.attempt_of(method);
        match attempt {
            Some(attempt) if register || (attempt.words == words && attempt.challenge.is_some()) => attempt.cseq += 1,
            _ => {
                let call_id = format!("{name}-{number}");
                *attempt = Some(Attempt { words: words.to_owned(), call_id, cseq: 1, challenge: None });
            }
        }
        let (call_id, cseq) =
            attempt.as_ref().map(|attempt| (attempt.call_id.clone(), attempt.cseq)).expect("just made");
        let own = format!("sip:{}@{}", self.user, self.domain);
        let request_uri = if register { format!("sip:{DOMAIN}") } else { uri.clone() };
        let to = if register && target == "exchange" { &own } else { &uri };
        let mut draft = Draft::new(method, &*request_uri);
        draft.field("Via", self.via(flow));
        draft.field("Max-Forwards", "70");
        draft.field("From", format!("<{own}>;tag={name}"));
        draft.field("To", format!("<{to}>"));
        draft.field("Call-ID", call_id);
        draft.field("CSeq", format!("{cseq} {method}"));
        if register {
            draft.field("Contact", format!("{}{}", self.contact(flow), self.contact_params));
        } else if !matches!(method, "MESSAGE" | "OPTIONS" | "BYE") {
            draft.field("Contact", self.contact(flow));
        }
        (draft, request_uri)
    }

    /// Adds credentials, when there is a challenge to answer. Fields of the ladder's own come last.
    fn sign(&mut self, draft: &mut Draft, uri: &str, fields: &Fields) {
        if self.signing == super::Signing::Never {
            return;
        }
        let (credentials, method) = (self.credentials(), draft.start.0.clone());
        let uri = fields.iter().find(|(name, _)| name == "Request-URI").map_or(uri, |(_, uri)| uri).to_owned();
        let mut rng = self.rng.split();
        let register = method == "REGISTER";
        let Some(attempt) = self.attempt_of(&method) else { return };
        let Some((challenge, nonce_use)) = &mut attempt.challenge else { return };
        let signed = nonce_use
            .sign(&credentials, &method, &uri, &[], &mut rng)
            .or_else(|| answer(&credentials, challenge, &method, &uri, &[], nonce_use, &mut rng));
        let (name, value) = signed.expect("a challenge that can be answered");
        if !register {
            attempt.challenge = None;
        }
        if !fields.iter().any(|(own, _)| own == name.as_str()) {
            draft.field(name.as_str(), value);
        }
    }

    fn in_dialog(&mut self, method: &str, flow: Flow, fields: &Fields) -> Bytes {
        let via = self.via(flow);
        let contact = self.contact(flow);
        let dialog = self.dialog.as_mut().unwrap_or_else(|| panic!("{}: {method} needs a dialog", self.name));
        if method != "ACK" {
            dialog.cseq += 1;
        }
        let mut draft = Draft::new(method, &*dialog.target);
        draft.field("Via", via);
        draft.field("Max-Forwards", "70");
        for route in &dialog.routes {
            draft.field("Route", &**route);
        }
        draft.field("From", &*dialog.local);
        draft.field("To", &*dialog.remote);
        draft.field("Call-ID", &*dialog.call_id);
        draft.field("CSeq", format!("{} {method}", dialog.cseq));
        if matches!(method, "INVITE" | "UPDATE" | "SUBSCRIBE" | "REFER") {
            draft.field("Contact", contact);
        }
        draft.change(fields);
        draft.write()
    }

    /// To the last final response to an INVITE.
    fn ack(&mut self, flow: Flow, fields: &Fields) -> Bytes {
        let last = self.received.iter().rev().map(|(_, message)| message);
        let mut finals = last.filter(|message| message.status() >= 200 && message.method() == Method::Invite);
        let response = finals.next().unwrap_or_else(|| panic!("{} has nothing to acknowledge", self.name)).clone();
        if response.status() < 300 {
            return self.in_dialog("ACK", flow, fields);
        }
        let via = response.values(HeaderName::Via).next().unwrap_or("").to_owned();
        let invite = self.invite_with(via.split(";rport").next().unwrap_or(""));
        self.derived("ACK", &invite, response.header(HeaderName::To), fields)
    }

    /// Of the last INVITE.
    fn cancel(&mut self, fields: &Fields) -> Bytes {
        let invite = self.again("INVITE");
        let invite = Message::parse(invite).expect("what was sent");
        self.derived("CANCEL", &invite, None, fields)
    }

    /// The INVITE that was sent with a Via that begins like this.
    fn invite_with(&self, via: &str) -> Message {
        let invites = self.sent.iter().rev().filter(|sent| sent.what == "INVITE");
        let parsed = invites.filter_map(|sent| Message::parse(sent.bytes.clone()).ok());
        let mut same = parsed.filter(|invite| invite.header(HeaderName::Via).is_some_and(|own| own.starts_with(via)));
        same.next().unwrap_or_else(|| panic!("{} has sent no INVITE with {via}", self.name))
    }

    /// A request that follows an INVITE hop by hop (RFC 3261 sections 9.1 and 17.1.1.3).
    fn derived(&self, method: &str, invite: &Message, to: Option<&str>, fields: &Fields) -> Bytes {
        let mut draft = Draft::new(method, invite.request_uri());
        let text = |name| invite.header(name).unwrap_or("");
        draft.field("Via", text(HeaderName::Via));
        draft.field("Max-Forwards", "70");
        for route in invite.fields(HeaderName::Route) {
            draft.field("Route", route);
        }
        draft.field("From", text(HeaderName::From));
        draft.field("To", to.unwrap_or(text(HeaderName::To)));
        draft.field("Call-ID", invite.call_id());
        draft.field("CSeq", format!("{} {method}", invite.cseq().map_or(0, |cseq| cseq.number)));
        draft.change(fields);
        draft.write()
    }

    /// To the last request that has no final response yet.
    fn response(&mut self, status: &str, method: Option<&str>, flow: Flow, fields: &Fields) -> Bytes {
        let key = |request: &Message| {
            (request.call_id().to_owned(), request.header(HeaderName::CSeq).unwrap_or("").to_owned())
        };
        let open = |request: &&Message| {
            request.is_request()
                && request.method() != Method::Ack
                && method.is_none_or(|method| request.method_text() == method)
                && !self.answered.contains(&key(request))
        };
        let request = self.received.iter().rev().map(|(_, message)| message).find(open);
        let request = request.unwrap_or_else(|| panic!("{} has nothing to answer with {status}", self.name)).clone();
        let source =
            self.received.iter().rev().find(|(_, message)| key(message) == key(&request)).map(|(flow, _)| flow);
        let number: u16 = status.parse().expect("a status");
        if number >= 200 {
            self.answered.push(key(&request));
        }
        let reply = Builder::reply(&request, number, source.map_or(self.at, |flow| flow.remote));
        let reply = Message::parse(reply.to_tag(&self.name).finish()).expect("a response");
        let mut draft = Draft::new(status, reason_phrase(number));
        for field in reply.all_fields().filter(|field| field.name != HeaderName::ContentLength) {
            draft.field(field.name_text, field.value);
        }
        if request.method() == Method::Invite && (101..300).contains(&number) {
            draft.field("Contact", self.contact(flow));
        }
        draft.change(fields);
        draft.write()
    }

    /// Answers to a challenge that the ladder never shows.
    pub(crate) fn take_challenge(&mut self, method: &str, reply: Bytes) {
        let Ok(message) = Message::parse(reply) else { return };
        if matches!(message.status(), 401 | 407)
            && let Some(attempt) = self.attempt_of(method)
        {
            attempt.challenge = Some((message, NonceUse::default()));
        }
    }
}

fn is_status(word: &str) -> bool {
    word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit())
}
