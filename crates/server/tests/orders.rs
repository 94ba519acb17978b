//! What whoever runs the exchange may want of it.

#![allow(clippy::unwrap_used)]

mod bench;

use bench::{drain, flow, outputs, request, server};
use engine::Now;
use server::{CallState, Config, Domains, Event, Input, Mode, Order, Output, Report, Server};
use sip_message::Message;
use sip_transaction::Flow;

/// The report on an order, which comes at once.
fn report(server: &mut Server, now: Now, order: impl FnOnce(u64) -> Order) -> Report {
    server.handle_input(now, Input::Order(order(7)));
    let (_, mut events) = drain(server);
    let Some(Event::Report { ticket: 7, report }) = events.pop() else { panic!("{events:?}") };
    report
}

/// A call from outside to a phone that is registered, and that rings.
fn ringing(server: &mut Server, now: Now) {
    let phone = Flow { remote: ([10, 0, 0, 9], 5060).into(), ..flow() };
    let binding = sip_registrar::Binding::new(sip_registrar::Parts {
        contact: "sip:a@10.0.0.9",
        params: "",
        call_id: "r",
        user_agent: "",
        path: "",
        q: 1000,
        cseq: 1,
        expires_at_s: now.unix_s() as u32 + 3600,
        flow: phone,
    });
    let invite = request("INVITE", "sip:a@example.org", "sip:x@elsewhere.test", "call-1", "");
    let asked = outputs(server, now, &invite);
    let [Output::Ask(server::Ask::Bindings { ticket, .. })] = asked[..] else { panic!("{asked:?}") };
    let snapshot = sip_registrar::Snapshot { bindings: [binding.unwrap()].into(), version: 1 };
    server.handle_input(now, Input::Answer(server::Answer::Bindings { ticket, snapshot, account: None }));
    let (sent, _) = drain(server);
    let [Output::Send { bytes, .. }] = &sent[..] else { panic!("{sent:?}") };
    let forwarded = Message::parse(bytes.clone()).unwrap();
    let ringing = sip_message::Builder::reply(&forwarded, 180, phone.remote).finish();
    let text = String::from_utf8(ringing.to_vec())
        .unwrap()
        .replace("To: <sip:a@example.org>", "To: <sip:a@example.org>;tag=b");
    server.handle_input(now, Input::Packet { flow: phone, bytes: text.into() });
    assert_eq!(drain(server).0.len(), 1, "it goes back");
}

#[test]
fn calls_are_listed_shown_and_ended() {
    let (mut server, now) = (server(0, true), Now::read_clocks());
    ringing(&mut server, now);
    let Report::Calls(calls) = report(&mut server, now, |ticket| Order::Calls { ticket }) else { panic!() };
    let [call] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(
        (call.id.to_string().as_str(), call.call_id.as_str(), call.state),
        ("0.1", "call-1", CallState::Ringing)
    );
    assert_eq!((call.from.as_str(), call.callee.as_deref()), ("sip:x@elsewhere.test", Some("a@example.org")));
    assert_eq!((call.caller.as_deref(), call.source, call.answered), (None, flow().remote, None));
    let id = call.id;
    for name in ["0.1", "call-1"] {
        let shown = report(&mut server, now, |ticket| Order::Show { ticket, call: name.to_owned() });
        let Report::Story(Some(story)) = shown else { panic!("{shown:?}") };
        let labels: Vec<&str> = story.ladder.iter().map(|step| &*step.label).collect();
        assert_eq!(labels, ["INVITE", "INVITE", "180 (INVITE)", "180 (INVITE)"]);
        assert_eq!(story.how, "a has been ringing for 0 s");
    }
    let unknown = report(&mut server, now, |ticket| Order::Show { ticket, call: "call-2".to_owned() });
    assert!(matches!(unknown, Report::Story(None)));
    let mut hang_up = |number| {
        let id = server::CallId { number, ..id };
        report(&mut server, now, |ticket| Order::HangUp { ticket, id, reason: String::new() })
    };
    assert!(matches!((hang_up(2), hang_up(1)), (Report::HungUp(false), Report::HungUp(true))));
}

#[test]
fn a_new_configuration_is_for_what_comes_and_touches_nothing_that_is_under_way() {
    let (mut server, now) = (server(0, false), Now::read_clocks());
    ringing(&mut server, now);
    let ours = request("MESSAGE", "sip:a@elsewhere.test", "sip:a@example.org", "m", "");
    let asks = |server: &mut Server| matches!(&outputs(server, now, &ours)[..], [Output::Ask(_), ..]);
    assert!(asks(&mut server), "nobody has to prove anything");
    let domains = Domains::new(["example.org", "also.test"], vec![5060]).unwrap();
    let config = Config {
        realm: "another".to_owned(),
        mode: Mode::Redirect,
        tls: true,
        ..Config::new(domains, server::Keys::from_secret([9; 32]))
    };
    server.handle_input(now, Input::Order(Order::Configure(Box::new(config))));
    assert!(drain(&mut server).0.is_empty());
    let ours = request("MESSAGE", "sip:a@elsewhere.test", "sip:a@also.test", "n", "");
    let sent = outputs(&mut server, now, &ours);
    let [Output::Send { bytes, .. }] = &sent[..] else { panic!("{sent:?}") };
    let challenge = String::from_utf8_lossy(bytes);
    assert!(challenge.starts_with("SIP/2.0 407 ") && challenge.contains("realm=\"example.org\""), "{challenge}");
    let Report::Calls(calls) = report(&mut server, now, |ticket| Order::Calls { ticket }) else { panic!() };
    assert_eq!(calls.len(), 1, "the call goes on");
    // What has a branch of ours still finds its transaction.
    assert!(is_told_of_a_refusal(&mut server, now));
}

/// The callee declines, and the caller hears of it.
fn is_told_of_a_refusal(server: &mut Server, now: Now) -> bool {
    let shown = report(server, now, |ticket| Order::Show { ticket, call: "call-1".to_owned() });
    let Report::Story(Some(story)) = shown else { panic!("{shown:?}") };
    let forwarded = Message::parse(story.ladder[1].message.clone().into()).unwrap();
    let phone = Flow { remote: ([10, 0, 0, 9], 5060).into(), ..flow() };
    let busy = sip_message::Builder::reply(&forwarded, 486, phone.remote).finish();
    server.handle_input(now, Input::Packet { flow: phone, bytes: busy });
    let (sent, events) = drain(server);
    let ended = matches!(&events[..], [Event::Ended(record)] if record.how == "a is busy");
    let back = |output: &Output| matches!(output, Output::Send { bytes, .. } if bytes.starts_with(b"SIP/2.0 486 "));
    ended && sent.iter().any(back)
}
