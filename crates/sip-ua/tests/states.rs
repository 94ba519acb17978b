//! What each command does to a call in each of its states.
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use sip_message::Transport;
use sip_transaction::Flow;
use sip_ua::Route;
use world::{Manners, Mind, World};

/// A call in the state that the table of `call/mod.rs` names, and whose it is.
fn in_state(state: &str) -> (World, &'static str, sip_ua::CallId) {
    let mut w = World::new(&["alice", "bob"]);
    w.node("bob").manners = Manners::Nothing;
    if let "Locating" | "Located" = state {
        w.node("alice").manners = Manners::Ignore;
        let (uri, local, remote) = (w.uri("bob"), w.node("alice").at, w.node("bob").at);
        let dial = sip_ua::Dial { uri, identity: World::identity("alice", None), route: Route::Uri(None) };
        let Mind::Agent(mind) = &mut w.node("alice").mind else { panic!("no agent") };
        let (layer, agent) = &mut **mind;
        let now = engine::Now::read_clocks();
        let call = agent.dial(now, layer, dial).unwrap();
        let Some(sip_ua::Output::Resolve { ticket, .. }) = agent.poll_output() else { panic!("no question") };
        if state == "Located" {
            let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
            agent.resolved(now, layer, ticket, vec![flow]);
        }
        return (w, "alice", call);
    }
    let call = w.dial("alice", "bob");
    w.run(100);
    let incoming = w.incoming();
    match state {
        "Inviting" => {}
        "Cancelling" => assert!(w.hangup("alice", call)),
        "Incoming" => return (w, "bob", incoming),
        "Established" => assert!(w.answer("bob", incoming)),
        "Leaving" => assert!(w.answer("bob", incoming) && w.hangup("bob", incoming)),
        _ => panic!("{state}"),
    }
    if state == "Established" || state == "Leaving" {
        return (w, "bob", incoming);
    }
    (w, "alice", call)
}

#[test]
fn what_each_command_does_in_each_state() {
    let table = "
        state        invite  ring  answer  reject  hangup
        Locating     no      no    no      no      yes
        Located      yes     no    no      no      yes
        Inviting     no      no    no      no      yes
        Cancelling   no      no    no      no      no
        Incoming     no      yes   yes     yes     yes
        Established  no      no    no      no      yes
        Leaving      no      no    no      no      no";
    let mut lines =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|line| !line.is_empty());
    let commands = lines.next().unwrap();
    for line in lines {
        for (command, wanted) in commands[1..].iter().zip(&line[1..]) {
            let (mut w, who, call) = in_state(line[0]);
            let did = w.agent(who, |now, layer, agent| match *command {
                "invite" => agent.invite(now, layer, call, None),
                "ring" => agent.ring(now, layer, call, 180, None),
                "answer" => agent.answer(now, layer, call, None),
                "reject" => agent.reject(now, layer, call, 486, None),
                _ => agent.hangup(now, layer, call),
            });
            assert_eq!(did, *wanted == "yes", "{command} in {}", line[0]);
        }
    }
    let (mut w, who, call) = in_state("Incoming");
    for status in [100, 200, 99] {
        assert!(
            !w.agent(who, |now, layer, agent| agent.ring(now, layer, call, status, None)),
            "{status} is no ringing"
        );
    }
}
