use super::calls;
use crate::{LoadConfig, run};
use bytes::Bytes;
use sip_message::{Builder, HeaderName, Message, Method};
use std::net::UdpSocket;
use std::ops::ControlFlow;
use std::time::Duration;

/// Answers calls at once, until it hears nothing for a second: how many BYEs it has got.
fn answer(socket: &UdpSocket) -> usize {
    let mut byes = 0;
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let request = Message::parse(Bytes::copy_from_slice(&buffer[..length])).unwrap();
        let reply = Builder::reply(&request, 200, from).to_tag("callee");
        let reply = match request.method() {
            Method::Ack => continue,
            Method::Invite => reply.header(HeaderName::Contact, format!("<sip:{}>", socket.local_addr().unwrap())),
            Method::Bye => {
                byes += 1;
                reply
            }
            _ => reply,
        };
        socket.send_to(&reply.finish(), from).unwrap();
    }
    byes
}

#[test]
fn a_target_that_answers_by_itself_is_called_over_real_sockets() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let target = socket.local_addr().unwrap();
    let callee = std::thread::spawn(move || answer(&socket));
    let config = LoadConfig { target, account: None, total: 100, rate: 1000.0, ..calls() };
    let report = run(&config, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((report.total, report.ok, report.failed), (100, 100, 0), "{report:?}");
    assert_eq!(callee.join().unwrap(), 100);
    let json = serde_json::to_value(&report).unwrap();
    for field in
        ["scenario", "rate", "total", "ok", "failed", "retransmissions", "setup_ms_p50", "setup_ms_p99", "seconds"]
    {
        assert!(!json[field].is_null(), "{field} in {json}");
    }
    assert_eq!((&json["scenario"], &json["ok"]), (&"call".into(), &100.into()));
}

#[test]
fn progress_can_end_a_run_that_nobody_answers() {
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    let config = LoadConfig { target: nobody.local_addr().unwrap(), account: None, total: 5, rate: 1000.0, ..calls() };
    let report = run(&config, |progress| {
        assert_eq!((progress.begun, progress.in_progress), (5, 5));
        ControlFlow::Break(())
    });
    let report = report.unwrap();
    assert_eq!((report.failed, report.received), (5, 0), "{report:?}");
    assert!(report.sent > 5, "{report:?}");
}
