//! Two phones call each other directly, and hear each other.

mod world;

use phone::Command;
use world::{World, answers, heard};

#[test]
fn both_hear_each_other() {
    let mut w = World::new(&["alice", "bob"], |name, config| {
        if name == "bob" {
            config.answering = answers(1000);
        }
    });
    let call = w.dial("alice", "bob");
    w.run(5000);
    w.command("alice", Command::Hangup { call });
    w.run(1000);
    w.expect(
        "0    alice -> bob INVITE
         10   bob -> alice 180 INVITE
         1010 bob -> alice 200 INVITE
         1020 alice -> bob ACK
         5000 alice -> bob BYE
         5010 bob -> alice 200 BYE",
    );
    let (alice, bob) = (w.events("alice"), w.events("bob"));
    for (events, hz, foreign_hz) in [(&alice, 1000.0, 440.0), (&bob, 440.0, 1000.0)] {
        let (share, report) = heard(events, hz);
        assert!(share > 0.95, "{share}");
        assert!(heard(events, foreign_hz).0 < 0.01);
        assert_eq!(report.lost, 0);
        assert!(report.mos.unwrap() > 4.0, "{report:?}");
        assert!(report.seconds_heard > 3.5, "{report:?}");
    }
    w.node("alice").events = alice;
    w.node("bob").events = bob;
    assert_eq!(
        w.told("alice"),
        ["ringing 180", "answered Some(Pcmu)", "heard 10.0.0.2:20002", "media true true", "ended HungUp"]
    );
    let from = "incoming sip:alice@10.0.0.1:5060";
    assert_eq!(
        w.told("bob"),
        [from, "answered Some(Pcmu)", "heard 10.0.0.1:20002", "media true true", "ended PeerHungUp"]
    );
    for name in ["alice", "bob"] {
        assert!(w.phone(name).is_idle());
        assert!(w.node(name).open.is_empty(), "{name} gave its socket back");
    }
}
