//! The whole: phones and an exchange on real loopback sockets.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use engine::{Now, Rng};
use media::Source;
use net::{
    Backend, Later, ListenConfig, Orders, PemFile, PhoneShell, PhoneShellConfig, ServeConfig, Serving, Tls, TlsSetup,
    make_local_ca, make_local_certificate, system_rng,
};
use phone::{Account, AccountId, Answering, CallId, Command, Dial, Event, RequestNumber};
use server::{Answer, Ask, Domains, Input, Keys, Order, Secrets, Server};
use sip_message::Transport;
use sip_registrar::Location;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

const LONG: Duration = Duration::from_secs(20);
const REALM: &str = "ringback";
const V4: &str = "127.0.0.1";
const V6: &str = "::1";

fn listen(ip: &str) -> ListenConfig {
    let address = vec![SocketAddr::new(ip.parse().expect("an address"), 0)];
    ListenConfig { udp: address.clone(), tcp: address, ..ListenConfig::default() }
}

fn phone(ip: &str, config: phone::Config) -> PhoneShell {
    phone_that_believes(ip, config, None)
}

fn phone_that_believes(ip: &str, config: phone::Config, tls: Option<Tls>) -> PhoneShell {
    let shell = PhoneShellConfig { listen: listen(ip), tls, ..PhoneShellConfig::default() };
    PhoneShell::start(shell, config).expect("free ports")
}

/// What shows a certificate for `own` and believes those of the same authority.
fn tls(own: IpAddr) -> Tls {
    let ca = make_local_ca(SystemTime::now()).expect("an authority");
    let pair = make_local_certificate(&ca, &[], &[own], SystemTime::now()).expect("a certificate");
    let file = |name: &str, text: &str| PemFile { name: name.to_owned(), bytes: text.into() };
    let setup = TlsSetup {
        certificate: Some((file("server.pem", &pair.certificate), file("server.key", &pair.key))),
        authorities: vec![file("ca.pem", &ca.certificate)],
        ..TlsSetup::default()
    };
    Tls::new(&setup, SystemTime::now()).expect("it is in order").0
}

/// The first event that `wanted` recognises.
fn wait<T>(phone: &PhoneShell, wanted: impl Fn(&Event) -> Option<T>) -> T {
    loop {
        let event = phone.events().recv_timeout(LONG).expect("something happens");
        if let Some(found) = wanted(&event) {
            return found;
        }
        assert!(!matches!(event, Event::Failed { .. } | Event::NoMedia { .. }), "{event:?}");
    }
}

/// Calls `uri` and checks that both heard the other's tone.
fn call_and_hear(caller: &PhoneShell, callee: &PhoneShell, uri: String, account: Option<AccountId>) {
    let dial = Dial { call: 1, uri, account, play: Source::Tone { hz: 440.0 }, record: true };
    assert!(caller.send(Command::Dial(dial)));
    for phone in [caller, callee] {
        wait(phone, |event| matches!(event, Event::Heard { .. }).then_some(()));
    }
    // Keys take a tenth of a second each, and more between them: the sound itself is the clock.
    let digits = Command::SendDtmf { call: CallId::Placed(1), digits: "1234".into() };
    assert!(caller.send(digits));
    wait(callee, |event| matches!(event, Event::Dtmf { digit: '4', .. }).then_some(()));
    assert!(caller.send(Command::Hangup { call: CallId::Placed(1) }));
    for (phone, hz) in [(caller, 600.0), (callee, 440.0)] {
        let recording = wait(phone, |event| match event {
            Event::Media { recording, .. } => Some(recording.clone()),
            _ => None,
        });
        let heard = media::compare::goertzel(&recording, hz);
        assert!(heard > media::compare::goertzel(&recording, 1000.0) * 10.0, "{heard} in {} samples", recording.len());
        wait(phone, |event| matches!(event, Event::Ended { .. }).then_some(()));
    }
}

fn answering() -> Answering {
    Answering::Answer { after: Duration::ZERO, play: Source::Tone { hz: 600.0 }, record: true }
}

#[test]
fn two_phones_call_each_other_with_no_exchange() {
    for (ip, transport) in [(V4, Transport::Udp), (V4, Transport::Tcp), (V6, Transport::Udp), (V6, Transport::Tcp)] {
        let config = phone::Config { transport: Some(transport), ..phone::Config::default() };
        let caller = phone(ip, config.clone());
        let callee = phone(ip, phone::Config { answering: answering(), ..config });
        let there = |local: &&net::LocalAddress| local.transport == transport;
        let address = callee.local_addresses().iter().find(there).expect("it listens").address;
        let uri = format!("sip:bob@{address};transport={}", transport.as_param());
        call_and_hear(&caller, &callee, uri, None);
    }
}

#[test]
fn a_name_is_looked_up_and_a_missing_one_is_no_call() {
    let caller = phone(V4, phone::Config::default());
    let callee = phone(V4, phone::Config::default());
    let port = callee.local_addresses()[0].address.port();
    let ask = |host: &str| {
        let (request, uri) = (RequestNumber(1), format!("sip:bob@{host}:{port}"));
        assert!(caller.send(Command::Options { request, uri, account: None }));
        wait(&caller, |event| match event {
            Event::Replied { outcome, .. } => Some(outcome.as_ref().ok().map(|reply| reply.status)),
            _ => None,
        })
    };
    assert_eq!(ask("localhost"), Some(200));
    assert_eq!(ask("no-such-host.invalid"), None);
}

/// One table of bindings for all shards, three users who all have the same password.
#[derive(Clone)]
struct Memory(Arc<Mutex<Location>>);

impl Backend<Server> for Memory {
    fn handle_ask(&mut self, now: Now, ask: Ask, _: &Later<Input>) -> Option<Input> {
        let mut location = self.0.lock().expect("no panic");
        Some(Input::Answer(match ask {
            Ask::Credentials { ticket, user } => {
                let known = ["100", "101", "102"].contains(&&*user);
                Answer::Credentials {
                    ticket,
                    secrets: known.then(|| Secrets::new(&user, REALM, "secret")),
                    limits: None,
                }
            }
            Ask::Bindings { ticket, aor } => {
                Answer::Bindings { ticket, snapshot: location.fetch(now, &aor), account: None }
            }
            Ask::Registrar(sip_registrar::Ask::Fetch { ticket, aor }) => {
                let snapshot = location.fetch(now, &aor);
                Answer::Registrar(sip_registrar::Answer::Fetched { ticket, snapshot })
            }
            Ask::Registrar(sip_registrar::Ask::Commit { ticket, change }) => {
                let outcome = location.commit(change);
                Answer::Registrar(sip_registrar::Answer::Committed { ticket, outcome })
            }
            Ask::Resolve { .. } => unreachable!("answered by the net itself"),
        }))
    }
}

fn exchange(ip: &str, drivers: usize, tls: &Tls) -> (Serving, Orders) {
    let keys = Keys::from_secret([7; 32]);
    let own: IpAddr = ip.parse().expect("an address");
    let any = vec![SocketAddr::new(own, 0)];
    let listen = ListenConfig { tls: any.clone(), ws: any.clone(), wss: any, ..listen(ip) };
    let config = ServeConfig { drivers, listen, tls: Some(tls.clone()), ..ServeConfig::default() };
    let location = Location::new(&mut system_rng());
    let make = move |shard: usize, addresses: &[net::LocalAddress]| {
        let ports = addresses.iter().map(|local| local.address.port()).collect();
        let domains = Domains::new([own.to_string()], ports).expect("an address is a domain");
        let config = server::Config { realm: REALM.to_owned(), ..server::Config::new(domains, keys) };
        Server::new(config, shard as u16, Rng::from_u64(shard as u64))
    };
    net::serve(config, keys, make, Memory(Arc::new(Mutex::new(location)))).expect("free ports")
}

#[test]
fn two_phones_call_each_other_through_an_exchange_of_several_shards() {
    let v4 = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss]
        .map(|transport| (V4, transport));
    for (ip, transport) in v4.into_iter().chain([(V6, Transport::Udp), (V6, Transport::Tls), (V6, Transport::Wss)]) {
        let tls = tls(ip.parse().expect("an address"));
        let (exchange, orders) = exchange(ip, 3, &tls);
        let there = |local: &&net::LocalAddress| local.transport == transport;
        let address = exchange.local_addresses().iter().find(there).expect("it listens").address;
        let registered = |user: &str, answering: Answering| {
            let account = Account {
                user: user.to_owned(),
                password: "secret".to_owned(),
                domain: address.to_string(),
                display: None,
                via: None,
                transport: Some(transport),
            };
            let config = phone::Config { accounts: vec![account], answering, ..phone::Config::default() };
            let shell = phone_that_believes(ip, config, Some(tls.clone()));
            assert!(shell.send(Command::Register { account: AccountId(0), expires_s: 300 }));
            wait(&shell, |event| match event {
                Event::RegistrationOk { .. } => Some(true),
                Event::RegistrationFailed { failure, .. } => panic!("{failure:?}"),
                _ => None,
            });
            shell
        };
        let caller = registered("100", Answering::Ring);
        let callee = registered("101", answering());
        call_and_hear(&caller, &callee, "101".to_owned(), Some(AccountId(0)));
        assert!(exchange.is_whole());
        let reports = |orders: &Orders| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            runtime.block_on(orders.ask_all(|ticket| Order::Calls { ticket })).len()
        };
        assert_eq!(reports(&orders), 3, "each shard has said which calls it has");
        exchange.stop();
        assert_eq!(reports(&orders), 0, "nobody waits for shards that have stopped");
    }
}

#[test]
fn a_phone_that_is_dropped_ends_its_events() {
    let shell = phone(V4, phone::Config::default());
    let address = shell.local_addresses()[0].address;
    drop(shell);
    std::net::UdpSocket::bind(address).expect("the port is free again");
}
