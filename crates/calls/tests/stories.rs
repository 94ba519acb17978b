//! How calls ended, in words.

use calls::{End, Ending, Side, how, span};

const SILENT: &str = "192.0.2.7:5060";

fn usual(end: End) -> Ending<'static> {
    Ending {
        end,
        caller: "100",
        callee: "101",
        waited_s: 32,
        rang_s: None,
        talked_s: None,
        heard_status: 0,
        sent_to: None,
        acknowledged: false,
        announced: None,
        why: "",
    }
}

#[test]
fn every_end_has_its_sentence() {
    let refused = |status| usual(End::Refused(status));
    let heard = |status| Ending { heard_status: status, ..refused(status) };
    let source = "192.168.1.9".parse().expect("an address");
    let announced = Some((source, "172.17.0.1".to_owned()));
    for (ending, sentence) in [
        (Ending { talked_s: Some(12), ..usual(End::HungUp(Side::Callee)) }, "101 hung up after 12 s"),
        (Ending { talked_s: Some(0), ..usual(End::HungUp(Side::Caller)) }, "100 hung up after 0 s"),
        (Ending { rang_s: Some(8), ..usual(End::Cancelled) }, "100 gave up after ringing for 8 s"),
        (Ending { rang_s: Some(8), ..usual(End::HungUp(Side::Caller)) }, "100 gave up after ringing for 8 s"),
        (usual(End::Cancelled), "100 gave up after 32 s, before any phone rang"),
        (heard(486), "101 is busy"),
        (heard(600), "101 is busy"),
        (heard(603), "101 declined"),
        (refused(480), "nobody is registered as 101"),
        (heard(480), "101 takes no calls at the moment"),
        (Ending { rang_s: Some(20), ..heard(480) }, "101 did not answer"),
        (refused(404), "there is no 101"),
        (heard(404), "there is no 101 where the call went"),
        (Ending { rang_s: Some(60), heard_status: 180, ..refused(408) }, "101 did not answer within 60 s"),
        (
            Ending { sent_to: Some(SILENT.parse().expect("an address")), ..refused(408) },
            "101's phone at 192.0.2.7:5060 did not answer within 32 s",
        ),
        (refused(408), "101's phone did not answer within 32 s"),
        (refused(403), "100 may not call 101"),
        (
            Ending { why: "100 has no more calls left this hour", ..refused(403) },
            "100 has no more calls left this hour",
        ),
        (heard(403), "101 refused the call (403 Forbidden)"),
        (refused(484), "101 is not a complete number"),
        (refused(482), "the call went round in a circle"),
        (heard(488), "101's phone cannot take such a call (488 Not Acceptable Here)"),
        (refused(302), "101 is elsewhere, and 100 was told where"),
        (refused(503), "the exchange took no more calls (503 Service Unavailable)"),
        (refused(500), "the exchange refused the call (500 Server Internal Error)"),
        (heard(500), "101 refused the call (500 Server Internal Error)"),
        (Ending { talked_s: Some(7), ..usual(End::ByUs) }, "the operator ended it after 7 s"),
        (usual(End::ByUs), "the operator ended it before it was answered"),
        (
            Ending { talked_s: Some(32), announced: announced.clone(), ..usual(End::NoAck) },
            "ACK never arrived: 192.168.1.9 announced an address we cannot reach (172.17.0.1)",
        ),
        (
            Ending { talked_s: Some(32), ..usual(End::NoAck) },
            "ACK never arrived: 100 did not hear the answer, or its ACK went elsewhere",
        ),
        (
            Ending { talked_s: Some(32), acknowledged: true, announced, ..usual(End::NoAck) },
            "ACK never reached 101: 192.168.1.9 announced an address we cannot reach (172.17.0.1)",
        ),
        (
            Ending { talked_s: Some(32), acknowledged: true, ..usual(End::NoAck) },
            "ACK never reached 101, who answered again and again and then hung up",
        ),
        (
            Ending { talked_s: Some(1800), ..usual(End::Expired) },
            "neither 100 nor 101 has refreshed the session in time: a phone is gone, or its connection",
        ),
        (Ending { talked_s: Some(86_400), ..usual(End::Lost) }, "nothing more was heard of it, 24 h after the answer"),
        (Ending { waited_s: 900, ..usual(End::Lost) }, "nothing more was heard of it for 15 min"),
    ] {
        assert_eq!(how(&ending), sentence);
    }
}

#[test]
fn spans_of_time_are_said_as_people_say_them() {
    for (seconds, words) in [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (125, "2 min 5 s"),
        (7199, "119 min 59 s"),
        (7200, "2 h"),
        (7265, "2 h 1 min"),
    ] {
        assert_eq!(span(seconds), words);
    }
}
