//! TLS (RFC 3261 section 26, RFC 5922, RFC 5923): who is believed, who is not, and what strangers can do to it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod support;

use bytes::Bytes;
use net::{
    ListenConfig, ListenError, PemFile, PemPair, Plans, ServeConfig, StreamLimits, Tls, TlsSetup, TlsWrong,
    make_local_ca, make_local_certificate,
};
use sip_message::Transport;
use sip_transaction::{ConnectionId, Flow};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use support::{Do, LONG, Saw, Stage, loopback, refusal, transactions};

const MESSAGE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabc";

fn file(name: &str, text: &str) -> PemFile {
    PemFile { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
}

fn ca() -> PemPair {
    make_local_ca(SystemTime::now()).expect("a certificate authority")
}

/// Shows a certificate of `ca` for `domain`, and believes `ca` alone.
fn setup(ca: &PemPair, domain: &str) -> TlsSetup {
    let addresses = ["127.0.0.1".parse().expect("an address")];
    let pair = make_local_certificate(ca, &[domain.to_owned()], &addresses, SystemTime::now()).expect("a certificate");
    TlsSetup {
        certificate: Some((file("server.pem", &pair.certificate), file("server.key", &pair.key))),
        authorities: vec![file("ca.pem", &ca.certificate)],
        without_system_authorities: true,
        ..TlsSetup::default()
    }
}

fn tls(setup: &TlsSetup) -> Tls {
    let (tls, warnings) = Tls::new(setup, SystemTime::now()).expect("it is in order");
    assert!(warnings.is_empty(), "{warnings:?}");
    tls
}

fn config(tls: &Tls) -> ServeConfig {
    let listen = ListenConfig { tls: loopback(), ..ListenConfig::default() };
    ServeConfig { listen, tls: Some(tls.clone()), ..ServeConfig::default() }
}

fn only_opens(tls: &Tls) -> ServeConfig {
    ServeConfig { tls: Some(tls.clone()), ..ServeConfig::default() }
}

fn flow_to(plans: &Plans, remote: SocketAddr, domain: &str) -> Flow {
    let local = "127.0.0.1:5061".parse().expect("an address");
    let connection = plans.plan(Transport::Tls, local, remote, domain);
    Flow { transport: Transport::Tls, local, remote, connection }
}

#[test]
fn a_message_goes_over_tls_and_its_answer_comes_back() {
    let tls = tls(&setup(&ca(), "b.example"));
    let (a, b) = (Stage::new(only_opens(&tls)), Stage::new(config(&tls)));
    let to = flow_to(a.plans(0), b.address(Transport::Tls), "b.example");
    a.tell(0, Do::Send(to, Bytes::from_static(MESSAGE), None));
    let (_, flow, bytes) = b.packet();
    assert_eq!((flow.transport, &bytes[..]), (Transport::Tls, MESSAGE));
    b.tell(0, Do::Send(flow, Bytes::from_static(MESSAGE), None));
    let (_, back, bytes) = a.packet();
    assert_eq!((back, &bytes[..]), (to, MESSAGE));
}
