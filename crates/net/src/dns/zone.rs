//! For tests: a zone typed in as text, answered from as it is, or by a name server on loopback.

use super::{Naptr, Records, Srv};
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{CNAME, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Notify;

/// More answers than these do not fit into a datagram of the server's.
const DATAGRAM_ANSWERS_MAX: usize = 12;

/// A zone. A line is `owner type values..`; the type SILENT means that nobody answers a question for the type that follows.
#[derive(Debug)]
pub(crate) struct Zone {
    lines: Vec<Vec<String>>,
    /// What was asked, `type name`.
    asked: Mutex<Vec<String>>,
}

impl Zone {
    pub(crate) fn new(text: &str) -> Zone {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let lines = text.lines().map(words).filter(|words| !words.is_empty()).collect();
        Zone { lines, asked: Mutex::default() }
    }

    /// What was asked since this was called last.
    pub(crate) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn note(&self, kind: &str, name: &str) {
        self.asked.lock().unwrap().push(format!("{kind} {name}"));
    }

    /// The values of the records of a name, of which a CNAME is followed.
    fn values<'a>(&'a self, kind: &'a str, name: &str) -> Vec<&'a [String]> {
        let of = |kind: &'a str, name: &str| {
            let name = name.to_owned();
            self.lines.iter().filter(move |line| line[0] == name && line[1] == kind).map(|line| &line[2..])
        };
        match of("CNAME", name).next() {
            Some(canonical) if kind != "CNAME" => self.values(kind, &canonical[0]),
            _ => of(kind, name).collect(),
        }
    }

    fn is_silent(&self, kind: &str, name: &str) -> bool {
        self.lines.iter().any(|line| line[0] == name && line[1] == "SILENT" && line[2] == kind)
    }

    fn naptrs(&self, domain: &str) -> Vec<Naptr> {
        let naptr = |values: &[String]| Naptr {
            order: values[0].parse().unwrap(),
            preference: values[1].parse().unwrap(),
            flags: undashed(&values[2]),
            services: undashed(&values[3]),
            regexp: undashed(&values[4]),
            replacement: undotted(&values[5]),
        };
        self.values("NAPTR", domain).into_iter().map(naptr).collect()
    }

    fn srvs(&self, name: &str) -> Vec<Srv> {
        let srv = |values: &[String]| Srv {
            priority: values[0].parse().unwrap(),
            weight: values[1].parse().unwrap(),
            port: values[2].parse().unwrap(),
            target: undotted(&values[3]),
        };
        self.values("SRV", name).into_iter().map(srv).collect()
    }

    fn ips(&self, kind: &str, host: &str) -> Vec<IpAddr> {
        self.values(kind, host).into_iter().map(|values| values[0].parse().unwrap()).collect()
    }

    /// Starts a name server for this zone, on the same port for datagrams and streams. It ends with the runtime.
    pub(crate) async fn serve(self: Arc<Zone>) -> SocketAddr {
        self.serve_when(None).await
    }

    /// The same; it holds its answers back until `go`.
    pub(crate) async fn serve_when(self: Arc<Zone>, go: Option<Arc<Notify>>) -> SocketAddr {
        let (datagrams, streams) = loop {
            let datagrams = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(streams) = TcpListener::bind(datagrams.local_addr().unwrap()).await {
                break (datagrams, streams);
            }
        };
        let address = datagrams.local_addr().unwrap();
        let zone = self.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = datagrams.recv_from(&mut buffer).await {
                let Some(answer) = zone.answer(&buffer[..length], DATAGRAM_ANSWERS_MAX) else { continue };
                if let Some(go) = &go {
                    go.notified().await;
                    go.notify_one(); // once gone, always gone
                }
                let _ = datagrams.send_to(&answer, from).await;
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = streams.accept().await {
                let zone = self.clone();
                tokio::spawn(async move {
                    while let Ok(length) = stream.read_u16().await {
                        let mut query = vec![0; length.into()];
                        stream.read_exact(&mut query).await.unwrap();
                        let Some(answer) = zone.answer(&query, usize::MAX) else { continue };
                        stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
                        stream.write_all(&answer).await.unwrap();
                    }
                });
            }
        });
        address
    }

    fn answer(&self, query: &[u8], answers_max: usize) -> Option<Vec<u8>> {
        let query = Message::from_vec(query).unwrap();
        let question = query.queries[0].clone();
        let name = super::names::without_dot(question.name());
        let kind = question.query_type();
        self.note(&kind.to_string(), &name);
        if self.is_silent(&kind.to_string(), &name) {
            return None;
        }
        let mut answer = Message::response(query.metadata.id, OpCode::Query);
        answer.metadata.recursion_available = true;
        let owner = question.name().clone();
        answer.add_query(question);
        let canonical = self.values("CNAME", &name).first().map(|values| fqdn(&values[0]));
        let records = canonical.iter().map(|name| RData::CNAME(CNAME(name.clone())));
        let records: Vec<RData> = records.chain(self.data(kind, &name)).collect();
        if records.is_empty() {
            let exists = self.lines.iter().any(|line| line[0] == name);
            answer.metadata.response_code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
        } else if records.len() > answers_max {
            answer.metadata.truncation = true;
        } else {
            for data in records {
                let is_alias = matches!(data, RData::CNAME(_));
                let of = canonical.clone().filter(|_| !is_alias).unwrap_or_else(|| owner.clone());
                answer.add_answer(Record::from_rdata(of, 60, data));
            }
        }
        Some(answer.to_vec().unwrap())
    }

    fn data(&self, kind: RecordType, name: &str) -> Vec<RData> {
        let naptr = |naptr: Naptr| {
            let (flags, services) = (naptr.flags.into_bytes().into(), naptr.services.into_bytes().into());
            let regexp = naptr.regexp.into_bytes().into();
            let replacement = fqdn(&naptr.replacement);
            RData::NAPTR(NAPTR::new(naptr.order, naptr.preference, flags, services, regexp, replacement))
        };
        let srv = |srv: Srv| RData::SRV(SRV::new(srv.priority, srv.weight, srv.port, fqdn(&srv.target)));
        match kind {
            RecordType::NAPTR => self.naptrs(name).into_iter().map(naptr).collect(),
            RecordType::SRV => self.srvs(name).into_iter().map(srv).collect(),
            RecordType::A | RecordType::AAAA => {
                self.ips(&kind.to_string(), name).into_iter().map(RData::from).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Records for Zone {
    async fn naptr(&self, domain: &str) -> Vec<Naptr> {
        self.note("NAPTR", domain);
        self.naptrs(domain)
    }
    async fn srv(&self, name: &str) -> Vec<Srv> {
        self.note("SRV", name);
        self.srvs(name)
    }
    async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        self.note("A", host);
        let mut found = self.ips("A", host);
        found.extend(self.ips("AAAA", host));
        found
    }
}

fn undashed(text: &str) -> String {
    if text == "-" { String::new() } else { text.to_owned() }
}

fn undotted(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_owned()
}

fn fqdn(name: &str) -> Name {
    Name::from_ascii(format!("{name}.")).unwrap()
}
