use super::servers::{DnsConfig, Servers};
use super::silence::Silence;
use super::{Naptr, Records, Srv};
use hickory_resolver::Hosts;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long one question may take, whoever is asked it and how often.
pub const LOOKUP_TIME_MAX: Duration = Duration::from_secs(3);
/// Threads that one driver may keep busy with asking the system; it may take its time.
pub const SYSTEM_LOOKUPS_MAX: usize = 8;

/// Looks names up: in the hosts file as it was at the start, in DNS, and where that does not know or does not answer, by the system's
/// own means (its search list, mDNS, what else it has).
#[derive(Debug)]
pub(crate) struct Names {
    dns: Servers,
    hosts: Hosts,
    silence: Silence,
    system: Arc<Semaphore>,
    patience: Duration,
}

/// What came of a question to DNS.
enum Answer<T> {
    Found(Vec<T>),
    /// There is no such record.
    Nothing,
    /// Nobody said anything of use.
    Silence,
}

impl Names {
    pub(crate) fn new(config: &DnsConfig) -> Names {
        Names::with_patience(config, LOOKUP_TIME_MAX)
    }

    /// With another limit than [`LOOKUP_TIME_MAX`].
    pub(super) fn with_patience(config: &DnsConfig, patience: Duration) -> Names {
        Names {
            dns: Servers::new(config, patience),
            hosts: Hosts::from_system().unwrap_or_default(),
            silence: Silence::default(),
            system: Arc::new(Semaphore::new(SYSTEM_LOOKUPS_MAX)),
            patience,
        }
    }

    async fn ask<T>(&self, name: &str, kind: RecordType, pick: impl Fn(&RData) -> Option<T>) -> Answer<T> {
        let Ok(mut name) = Name::from_ascii(name) else { return Answer::Nothing };
        name.set_fqdn(true); // the search list is for people who type, not for URIs
        let answer = self.ask_servers(&name, kind, &pick).await;
        if matches!(answer, Answer::Silence) && self.dns.renew() {
            self.silence.forget();
            return self.ask_servers(&name, kind, &pick).await;
        }
        answer
    }

    async fn ask_servers<T>(&self, name: &Name, kind: RecordType, pick: impl Fn(&RData) -> Option<T>) -> Answer<T> {
        let Some(dns) = self.dns.get() else { return Answer::Silence };
        if self.silence.covers(Instant::now(), name, kind) {
            return Answer::Silence;
        }
        match timeout(self.patience, dns.lookup(name.clone(), kind)).await {
            Ok(Ok(lookup)) => Answer::Found(lookup.answers().iter().filter_map(|record| pick(&record.data)).collect()),
            Ok(Err(error)) if error.is_no_records_found() => Answer::Nothing,
            Ok(Err(_)) | Err(_) => {
                self.silence.note(Instant::now(), name.clone(), kind);
                Answer::Silence
            }
        }
    }

    async fn ask_system(&self, host: &str) -> Vec<IpAddr> {
        let host = host.to_owned();
        let asked = async {
            let permit = self.system.clone().acquire_owned().await.ok()?;
            // The permit stays with the thread, which may go on when nobody waits for it any more.
            let found = spawn_blocking(move || ((&*host, 0).to_socket_addrs().ok(), permit)).await.ok()?.0?;
            Some(found.map(|address| address.ip()).collect())
        };
        timeout(self.patience, asked).await.ok().flatten().unwrap_or_default()
    }

    fn in_hosts_file(&self, host: &str) -> Vec<IpAddr> {
        let Ok(name) = Name::from_ascii(host) else { return Vec::new() };
        let name = name.to_lowercase();
        [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(|kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind)))
            .flat_map(|lookup| lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>())
            .collect()
    }

    /// Whether this is a host of the neighbourhood and no domain, so that DNS has nothing to say about its services.
    fn is_neighbour(&self, name: &str) -> bool {
        !name.contains('.') || is_localhost(name) || !self.in_hosts_file(name).is_empty()
    }
}

impl Records for Names {
    async fn naptr(&self, domain: &str) -> Vec<Naptr> {
        if self.is_neighbour(domain) {
            return Vec::new();
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let answer = self.ask(domain, RecordType::NAPTR, |data| match data {
            RData::NAPTR(naptr) => Some(Naptr {
                order: naptr.order,
                preference: naptr.preference,
                flags: text(&naptr.flags),
                services: text(&naptr.services),
                regexp: text(&naptr.regexp),
                replacement: without_dot(&naptr.replacement),
            }),
            _ => None,
        });
        answer.await.found()
    }

    async fn srv(&self, name: &str) -> Vec<Srv> {
        let domain = name.splitn(3, '.').nth(2).unwrap_or_default();
        if self.is_neighbour(domain) {
            return Vec::new();
        }
        let answer = self.ask(name, RecordType::SRV, |data| match data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: without_dot(&srv.target),
            }),
            _ => None,
        });
        answer.await.found()
    }

    async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let known = self.in_hosts_file(host);
        if !known.is_empty() {
            return known;
        }
        if is_localhost(host) {
            return vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]; // RFC 6761 section 6.3
        }
        let (v4, v6) = tokio::join!(
            self.ask(host, RecordType::A, RData::ip_addr),
            self.ask(host, RecordType::AAAA, RData::ip_addr)
        );
        let silent = matches!(v4, Answer::Silence);
        let mut found = v4.found();
        found.extend(v6.found());
        let system_may_know = silent || !host.contains('.') || ends_in(host, "local");
        if found.is_empty() && system_may_know { self.ask_system(host).await } else { found }
    }
}

impl<T> Answer<T> {
    fn found(self) -> Vec<T> {
        match self {
            Answer::Found(records) => records,
            Answer::Nothing | Answer::Silence => Vec::new(),
        }
    }
}

fn is_localhost(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || ends_in(host, "localhost")
}

/// Whether `host` is below `zone`.
fn ends_in(host: &str, zone: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let (name, last) = host.rsplit_once('.').unwrap_or_default();
    !name.is_empty() && last.eq_ignore_ascii_case(zone)
}

/// A name as text, in lower case: what differs in nothing else is the same.
pub(super) fn without_dot(name: &Name) -> String {
    let mut text = name.to_lowercase().to_ascii();
    if text.ends_with('.') {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::zone::Zone;
    use super::*;

    /// Names asked of a server of `zone`, with little patience.
    async fn asking(zone: &Arc<Zone>) -> Names {
        let config = DnsConfig { servers: vec![zone.clone().serve().await] };
        Names::with_patience(&config, Duration::from_millis(300))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn what_a_name_server_never_answers_is_waited_for_once() {
        let zone = Arc::new(Zone::new("mute.test SILENT NAPTR\nmute.test A 127.0.0.11"));
        let names = asking(&zone).await;
        assert_eq!(names.naptr("mute.test").await, []);
        assert!(zone.take_asked().contains(&"NAPTR mute.test".to_owned()));
        assert_eq!(names.naptr("mute.test").await, []);
        assert_eq!(zone.take_asked(), [""; 0]);
        assert_eq!(names.addresses("mute.test").await, [ip("127.0.0.11")]);
    }

    /// The system reads numbers as addresses, which saves this test a name that only the system knows.
    #[tokio::test]
    async fn the_system_is_asked_when_dns_is_silent_or_knows_nothing_of_a_neighbour() {
        let zone = Arc::new(Zone::new("127.1 SILENT A\n127.2 NOTHING\n2130706435 A 127.0.0.33"));
        let names = asking(&zone).await;
        assert_eq!(names.addresses("127.1").await, [ip("127.0.0.1")], "DNS is silent");
        assert_eq!(names.addresses("127.2").await, [] as [IpAddr; 0], "DNS knows that there is nothing");
        assert_eq!(names.addresses("2130706434").await, [ip("127.0.0.2")], "a neighbour that DNS does not know");
        assert_eq!(names.addresses("2130706435").await, [ip("127.0.0.33")], "a neighbour that it knows");
        let alone = Names { dns: Servers::none(), ..Names::new(&DnsConfig::default()) };
        assert_eq!(alone.addresses("127.2").await, [ip("127.0.0.2")], "there are no name servers");
        assert_eq!((alone.naptr("a.test").await, alone.srv("_sip._udp.a.test").await), (vec![], vec![]));
    }

    #[tokio::test]
    async fn a_neighbour_is_no_domain() {
        let text = "pbx NAPTR 1 1 s SIP+D2U - _sip._udp.pbx\n_sip._udp.pbx SRV 0 0 9 pbx\npbx A 127.0.0.11";
        let zone = Arc::new(Zone::new(text));
        let names = asking(&zone).await;
        assert_eq!((names.naptr("pbx").await, names.srv("_sip._udp.pbx").await), (vec![], vec![]));
        assert_eq!(names.addresses("pbx").await, [ip("127.0.0.11")]);
        assert!(!zone.take_asked().iter().any(|asked| asked.starts_with("NAPTR") || asked.starts_with("SRV")));
    }

    #[tokio::test]
    async fn the_system_is_not_asked_by_more_threads_than_allowed() {
        let names =
            Names { dns: Servers::none(), patience: Duration::from_millis(50), ..Names::new(&DnsConfig::default()) };
        let all = names.system.clone().try_acquire_many_owned(SYSTEM_LOOKUPS_MAX as u32).unwrap();
        assert_eq!(names.addresses("127.1").await, [] as [IpAddr; 0]);
        drop(all);
        assert_eq!(names.addresses("127.1").await, [ip("127.0.0.1")]);
    }

    #[test]
    fn what_is_below_a_zone() {
        let cases = [("a.local", true), ("a.b.LOCAL.", true), ("local", false), (".local", false), ("a.locals", false)];
        for (host, expected) in cases {
            assert_eq!(ends_in(host, "local"), expected, "{host}");
        }
    }
}
