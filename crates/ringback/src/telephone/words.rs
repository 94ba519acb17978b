use crate::exit::Exit;
use phone::{CallId, End, Event, Failure, Party};
use serde_json::{Value, json};

/// The exit code that a failure is: a no is a negative answer, silence is nobody.
pub(crate) fn exit_of(failure: &Failure) -> Exit {
    if failure.was_answered() { Exit::Negative } else { Exit::NobodyAnswered }
}

/// Whether an event says that what was asked for did not work.
pub(super) fn is_failure(event: &Event) -> bool {
    match event {
        Event::Replied { outcome: Ok(reply), .. } => reply.status >= 300,
        Event::RegistrationFailed { .. } | Event::Failed { .. } | Event::Replied { .. } | Event::NoMedia { .. } => true,
        _ => false,
    }
}

fn refused(failure: &Failure) -> String {
    match failure {
        Failure::Refused { status, reason } => answered(*status, reason),
        Failure::NotFound => "no such name: it has no address, so give one with --via HOST".to_owned(),
        Failure::Unreachable => {
            "nobody can be reached there: is the address right, and does anything listen?".to_owned()
        }
        Failure::NoAnswer => failure.reason().to_owned(),
    }
}

/// A status with its words, and what to do about it where that is not plain.
fn answered(status: u16, reason: &str) -> String {
    let hint = match status {
        401 | 407 => ": say who you are with --as USER:PASS@DOMAIN (a wrong password is answered like this, too)",
        403 => ": not allowed, or not the right name and password in --as USER:PASS@DOMAIN",
        480 => ": nobody is registered there now; the exchange's `ringback reg ls` shows who is",
        _ => "",
    };
    format!("{status} {reason}{hint}")
}

/// As with [`refused`], of a registration.
fn not_registered(failure: &Failure) -> String {
    match failure {
        Failure::Refused { status: 403, reason } if reason == "Forbidden" => {
            "403 Forbidden: no such user, or not this password (at the exchange, `ringback user passwd NAME` makes a new one)"
                .to_owned()
        }
        other => refused(other),
    }
}

/// An event for people.
pub(super) fn in_words(event: &Event) -> String {
    match event {
        Event::RegistrationOk { expires_s, .. } => format!("registered, for {expires_s} s"),
        Event::RegistrationFailed { failure, retry_s, .. } => match retry_s {
            Some(retry_s) => {
                format!("not registered: {} (worth another attempt in {retry_s} s)", not_registered(failure))
            }
            None => format!("not registered: {}", not_registered(failure)),
        },
        Event::Unregistered { outcome: Ok(()), .. } => "not registered any more".to_owned(),
        Event::Unregistered { outcome: Err(failure), .. } => {
            format!("the exchange does not take the registration back: {}", refused(failure))
        }
        Event::Incoming { from, source, .. } => format!("call from {} ({source})", party(from)),
        Event::Ringing { status: 180, .. } => "ringing".to_owned(),
        Event::Ringing { status, .. } => format!("{status} {}", sip_message::reason_phrase(*status)),
        Event::EarlyMedia { .. } => "sound before the answer".to_owned(),
        Event::Answered { codec, .. } => match codec {
            Some(codec) => format!("answered, speaking {}", codec.name()),
            None => "answered".to_owned(),
        },
        Event::Heard { from, .. } => format!("sound comes from {from}"),
        Event::Dtmf { digit, .. } => format!("key {digit}"),
        Event::DtmfRefused { digit, why, .. } => format!("key {digit} cannot be sent: {why:?}"),
        Event::Played { .. } => "played to the end".to_owned(),
        Event::NoMedia { why, .. } => format!("no sound: {why}"),
        Event::Media { report, .. } => match report.mos {
            Some(mos) => format!(
                "heard {:.1} s: MOS {mos:.2}, loss {:.1} %, jitter {:.1} ms",
                report.seconds_heard, report.loss_percent, report.jitter_ms
            ),
            None => "heard nothing".to_owned(),
        },
        Event::Failed { failure, .. } => format!("no call: {}", refused(failure)),
        Event::Ended { end, .. } => format!("over: {}", ended(end)),
        Event::Replied { outcome: Ok(reply), .. } => answered(reply.status, &reply.reason),
        Event::Replied { outcome: Err(failure), .. } => refused(failure),
        Event::Message { from, text } => format!("{} says: {text}", party(from)),
    }
}

/// An event for programs.
pub(super) fn as_json(event: &Event) -> Value {
    match event {
        Event::RegistrationOk { expires_s, .. } => json!({"event": "registered", "expires_s": expires_s}),
        Event::RegistrationFailed { failure, retry_s, .. } => {
            with_failure(json!({"event": "registration_failed", "retry_s": retry_s}), failure)
        }
        Event::Unregistered { outcome: Ok(()), .. } => json!({"event": "unregistered"}),
        Event::Unregistered { outcome: Err(failure), .. } => {
            with_failure(json!({"event": "unregister_failed"}), failure)
        }
        Event::Incoming { call, from, uri, source } => {
            json!({"event": "incoming", "call": number(call), "from": from.uri, "display": from.display, "uri": uri,
                   "source": source.to_string()})
        }
        Event::Ringing { call, status } => json!({"event": "ringing", "call": number(call), "status": status}),
        Event::EarlyMedia { call } => json!({"event": "early_media", "call": number(call)}),
        Event::Answered { call, codec } => {
            json!({"event": "answered", "call": number(call), "codec": codec.map(sdp::Codec::name)})
        }
        Event::Heard { call, from } => json!({"event": "heard", "call": number(call), "from": from.to_string()}),
        Event::Dtmf { call, digit } => json!({"event": "dtmf", "call": number(call), "digit": digit}),
        Event::DtmfRefused { call, digit, why } => {
            json!({"event": "dtmf_refused", "call": number(call), "digit": digit, "why": format!("{why:?}")})
        }
        Event::Played { call } => json!({"event": "played", "call": number(call)}),
        Event::NoMedia { call, why } => json!({"event": "no_media", "call": number(call), "why": why}),
        Event::Media { call, report, recording } => json!({
            "event": "media", "call": number(call), "mos": report.mos, "loss": report.loss_percent,
            "lost": report.lost, "late": report.late, "jitter_ms": report.jitter_ms,
            "round_trip_ms": report.round_trip_ms, "seconds_heard": report.seconds_heard,
            "packets_sent": report.packets_sent, "packets_received": report.packets_received,
            "seconds_recorded": recording.len() as f64 / f64::from(media::SAMPLE_RATE_HZ),
        }),
        Event::Failed { call, failure } => with_failure(json!({"event": "failed", "call": number(call)}), failure),
        Event::Ended { call, end } => {
            let mut value = json!({"event": "ended", "call": number(call), "why": end_name(end)});
            if let End::Rejected(status) = end {
                value["status"] = json!(status);
            }
            value
        }
        Event::Replied { outcome: Ok(reply), .. } => json!({
            "event": "replied", "status": reply.status, "reason": reply.reason, "allow": reply.allow,
            "accept": reply.accept, "product": reply.product,
        }),
        Event::Replied { outcome: Err(failure), .. } => with_failure(json!({"event": "no_reply"}), failure),
        Event::Message { from, text } => json!({"event": "message", "from": from.uri, "text": text}),
    }
}

fn with_failure(mut value: Value, failure: &Failure) -> Value {
    value["status"] = json!(failure.status());
    value["reason"] = json!(failure.reason());
    value["replied"] = json!(failure.was_answered());
    value
}

fn number(call: &CallId) -> u32 {
    let (CallId::Placed(number) | CallId::Incoming(number)) = call;
    *number
}

fn party(party: &Party) -> String {
    match &party.display {
        Some(display) => format!("{display} <{}>", party.uri),
        None => party.uri.clone(),
    }
}

fn ended(end: &End) -> String {
    match end {
        End::HungUp => "we hung up".to_owned(),
        End::PeerHungUp => "they hung up".to_owned(),
        End::Cancelled => "we gave up before the answer".to_owned(),
        End::PeerCancelled => "they gave up before the answer".to_owned(),
        End::Rejected(status) => format!("refused with {status} {}", sip_message::reason_phrase(*status)),
        End::NeverAcknowledged => "answered, but the caller never acknowledged".to_owned(),
        End::Expired => "the caller did not wait any longer".to_owned(),
    }
}

fn end_name(end: &End) -> &'static str {
    match end {
        End::HungUp => "hung_up",
        End::PeerHungUp => "peer_hung_up",
        End::Cancelled => "cancelled",
        End::PeerCancelled => "peer_cancelled",
        End::Rejected(_) => "rejected",
        End::NeverAcknowledged => "never_acknowledged",
        End::Expired => "expired",
    }
}
