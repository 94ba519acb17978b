//! Connections that lead back to who holds them (RFC 5923).
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod bench;

use bench::keys;
use engine::{Now, Rng};
use server::{ALIASES_MAX, Answer, Ask, Config, Domains, Input, Output, Server};
use sip_message::Transport;
use sip_transaction::{ConnectionId, Flow};

fn server() -> Server {
    let domains = Domains::new(["example.org"], vec![5061]).unwrap();
    let config = Config { auth_required: false, tls: true, ..Config::new(domains, keys()) };
    Server::new(config, 0, Rng::from_u64(1))
}

fn flow(remote_port: u16, connection: u64) -> Flow {
    let (local, remote) = (([10, 0, 0, 1], 5061).into(), ([203, 0, 113, 7], remote_port).into());
    Flow { transport: Transport::Tls, local, remote, connection: Some(ConnectionId(connection)) }
}

/// The connection that a request to `host` goes over, after a peer with connection 1 has proved to be `there.test` and sent a request
/// whose Via has `params`; its address is looked up, and connection 2 is what would be opened to it.
fn connection_to(host: &str, params: &str, closed: bool) -> u64 {
    let (mut server, now) = (server(), Now::read_clocks());
    let names = vec!["there.test".to_owned()];
    server.handle_input(now, Input::Proved { connection: ConnectionId(1), names });
    let mut send = |call_id: &str, uri: &str, params: &str, flow: Flow| {
        let text = format!(
            "MESSAGE {uri} SIP/2.0\r\nv: SIP/2.0/TLS 203.0.113.7:5061;branch=z9hG4bK{call_id}{params}\r\nf: <sip:a@b>;tag=a\r\nt: <{uri}>\r\ni: {call_id}\r\nCSeq: 1 MESSAGE\r\nl: 0\r\n\r\n"
        );
        server.handle_input(now, Input::Packet { flow, bytes: text.into() });
        std::iter::from_fn(|| server.poll_output()).collect::<Vec<_>>()
    };
    send("1", "sip:example.org", params, flow(40_000, 1));
    let asked = send("2", &format!("sips:x@{host}"), "", flow(50_000, 3));
    let [Output::Ask(Ask::Resolve { ticket, .. })] = asked[..] else { panic!("{asked:?}") };
    if closed {
        server.handle_input(now, Input::ConnectionClosed(ConnectionId(1)));
    }
    server.handle_input(now, Input::Answer(Answer::Resolved { ticket, flows: vec![flow(5061, 2)] }));
    let Some(Output::Send { flow, .. }) = server.poll_output() else { panic!("nothing is sent") };
    flow.connection.unwrap().0
}

#[test]
fn a_peer_that_has_proved_its_name_is_reached_over_the_connection_that_it_holds() {
    assert_eq!(connection_to("there.test", ";alias", false), 1);
    assert_eq!(connection_to("THERE.test", ";alias", false), 1);
}

#[test]
fn a_shard_remembers_only_so_many() {
    let (mut server, now) = (server(), Now::read_clocks());
    let mut send = |n: u16| {
        let names = vec!["there.test".to_owned()];
        server.handle_input(now, Input::Proved { connection: ConnectionId(n.into()), names });
        let text = format!(
            "OPTIONS sip:example.org SIP/2.0\r\nv: SIP/2.0/TLS x:{n};branch=z9hG4bK{n};alias\r\nf: <sip:a@b>;tag=a\r\nt: <sip:b>\r\ni: {n}\r\nCSeq: 1 OPTIONS\r\nl: 0\r\n\r\n"
        );
        server.handle_input(now, Input::Packet { flow: flow(40_000, n.into()), bytes: text.into() });
        while server.poll_output().is_some() {}
        server.aliases()
    };
    for n in 1..=ALIASES_MAX {
        assert_eq!(send(n as u16), n);
    }
    assert_eq!(send(ALIASES_MAX as u16 + 1), ALIASES_MAX);
}

#[test]
fn without_leave_under_another_name_or_when_it_is_gone_another_is_opened() {
    assert_eq!(connection_to("there.test", "", false), 2);
    assert_eq!(connection_to("elsewhere.test", ";alias", false), 2);
    assert_eq!(connection_to("there.test", ";alias", true), 2);
}
