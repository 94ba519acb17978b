//! Several servers that are one exchange: whatever shard a packet lands on, its owner can be told from the packet alone.
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod bench;

use bench::{flow, keys, outputs, request, server};
use engine::Now;
use server::{Answer, Ask, Input, Output, Server, owner};
use sip_message::{Builder, Message};

#[test]
fn a_response_belongs_to_the_shard_that_sent_the_request_and_means_nothing_to_others() {
    let now = Now::read_clocks();
    for shards in [2, 4] {
        let mut servers: Vec<Server> = (0..shards).map(|shard| server(shard as u16, false)).collect();
        let mut owners = vec![0; shards];
        for n in 0..20 {
            let bytes = request("INVITE", "sip:x@there.test", "sip:a@example.org", &format!("call{n}"), "");
            let own = owner(&keys(), shards, &Message::parse(bytes.clone()).unwrap());
            owners[own] += 1;
            let asked = outputs(&mut servers[own], now, &bytes);
            let [Output::Ask(Ask::Resolve { ticket, .. })] = asked[..] else { panic!("{asked:?}") };
            servers[own].handle_input(now, Input::Answer(Answer::Resolved { ticket, flows: vec![flow()] }));
            let Some(Output::Send { bytes, .. }) = servers[own].poll_output() else { panic!("nothing sent") };
            let forwarded = Message::parse(bytes).unwrap();
            let reply = Builder::reply(&forwarded, 180, flow().local).to_tag("t").finish();
            assert_eq!(owner(&keys(), shards, &Message::parse(reply.clone()).unwrap()), own);
            for shard in (0..shards).filter(|shard| *shard != own) {
                assert!(outputs(&mut servers[shard], now, &reply).is_empty());
            }
            assert_eq!(outputs(&mut servers[own], now, &reply).len(), 1);
        }
        assert!(owners.iter().all(|calls| *calls > 0), "{owners:?}");
    }
}

#[test]
fn a_response_to_a_shard_that_is_no_more_falls_back_to_the_call_id() {
    let now = Now::read_clocks();
    let mut old = server(7, false);
    let asked = outputs(&mut old, now, &request("INVITE", "sip:x@there.test", "sip:a@example.org", "call", ""));
    let [Output::Ask(Ask::Resolve { ticket, .. })] = asked[..] else { panic!("{asked:?}") };
    old.handle_input(now, Input::Answer(Answer::Resolved { ticket, flows: vec![flow()] }));
    let Some(Output::Send { bytes, .. }) = old.poll_output() else { panic!("nothing sent") };
    let reply = Builder::reply(&Message::parse(bytes).unwrap(), 200, flow().local).to_tag("t").finish();
    let (reply, call) = (Message::parse(reply).unwrap(), request("ACK", "sip:a@b", "sip:c@d", "call", ""));
    assert_eq!(owner(&keys(), 8, &reply), 7);
    assert_eq!(owner(&keys(), 4, &reply), owner(&keys(), 4, &Message::parse(call).unwrap()));
}
