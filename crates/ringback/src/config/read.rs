//! From what was typed to what is true.

use super::problem::Problem;
use super::value::Value;
use super::{
    Auth, Config, ConfigFile, DRAIN_S_MAX, EXPIRES_S_MAX, KEEP_RECORDS_DAYS_MAX, LogFormat, MAX_BREADTH_MAX, Proxy,
    Registrar, Store, Tls,
};
use super::{guard, keys, limits, listen, route, trunk, user, zone};
use crate::exchange::{is_host, machine_names};
use routing::{Limits, Rules, Trunk, Trunks};
use server::Mode;
use sip_auth::Algorithm;
use sip_message::{Scheme, Uri};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use store::Account;

/// What `file` says, with all that is wrong with it in `problems`; after one, what comes back must not be used.
pub(super) fn config(file: &ConfigFile, problems: &mut Vec<Problem>, chance: &mut engine::Rng) -> Config {
    let mut reader = Reader { file, problems };
    reader.refuse_what_is_not_there_yet();
    reader.config(chance)
}

pub(super) struct Reader<'a> {
    pub(super) file: &'a ConfigFile,
    pub(super) problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    /// The value of `key` as `read` sees it; after a problem, something that is never used.
    pub(super) fn take<T: Default>(&mut self, key: &str, read: impl FnOnce(&Value, &str) -> Result<T, Problem>) -> T {
        match read(self.file.get(key), key) {
            Ok(value) => value,
            Err(problem) => {
                self.problems.push(problem);
                T::default()
            }
        }
    }

    fn refuse_what_is_not_there_yet(&mut self) {
        let defaults = ConfigFile::new();
        for key in keys::KEYS {
            let (Some(not_yet), value) = (key.not_yet, self.file.get(key.name)) else { continue };
            if !value.is_or_empty(defaults.get(key.name)) {
                self.problems.push(value.problem(format!("`{}` cannot be this", key.name), not_yet));
            }
        }
    }

    fn config(&mut self, chance: &mut engine::Rng) -> Config {
        let listen = listen::read(self);
        let auth = Auth {
            required: self.take("auth.required", Value::switch),
            realm: self.take("auth.realm", realm),
            algorithms: self.take("auth.algorithms", algorithms),
        };
        let domains = self.take("domains", domains);
        let ours = if domains.is_empty() { machine_names() } else { domains.clone() };
        let limits = limits::of_everybody(self);
        let users = self.users(&auth, &ours, &limits, chance);
        let rules = self.rules(&ours);
        // Known and checked; used by nothing as long as there is no relay.
        self.take("media.ports", ports);
        Config {
            data: self.take("data", data),
            domains,
            listen,
            auth,
            registrar: self.registrar(),
            proxy: Proxy {
                mode: self.take("proxy.mode", mode).unwrap_or(Mode::Stateful),
                record_route: self.take("proxy.record_route", Value::switch),
                recurse: self.take("proxy.recurse", Value::switch),
                max_breadth: self.take("proxy.max_breadth", max_breadth),
            },
            tls: self.tls(),
            dns_servers: self.take("dns.servers", servers),
            users,
            store: self.store(),
            guard: guard::read(self),
            limits,
            drain: Duration::from_secs(
                self.take("serve.drain_s", |value, key| value.number(key, 0..DRAIN_S_MAX + 1)).into(),
            ),
            log: self.take("log.format", log_format),
            rules,
        }
    }

    fn store(&mut self) -> Store {
        Store {
            url: self.take("store.url", store_url),
            keep_records_days: self
                .take("store.keep_records_days", |value, key| value.number(key, 0..KEEP_RECORDS_DAYS_MAX + 1)),
        }
    }

    fn tls(&mut self) -> Tls {
        let path =
            |value: &Value, key: &str| Ok(Some(value.text(key)?).filter(|text| !text.is_empty()).map(PathBuf::from));
        let keys = ["tls.certificate", "tls.key", "tls.client_ca", "tls.ca"];
        let [certificate, key, client_ca, ca] = keys.map(|key| self.take(key, path));
        match (&certificate, &key) {
            (Some(_), None) => {
                self.problem(self.file.get("tls.certificate"), "a certificate needs its key", "add tls.key")
            }
            (None, Some(_)) => {
                self.problem(self.file.get("tls.key"), "a key needs its certificate", "add tls.certificate")
            }
            _ => {}
        }
        Tls { files: certificate.zip(key), client_ca, ca }
    }

    fn rules(&mut self, domains: &[String]) -> Rules {
        let mut trunks: Vec<Trunk> = Vec::new();
        for value in self.take("trunk", Value::list) {
            match trunk::read(&value, self.problems) {
                Some(trunk) if trunks.iter().any(|other| other.name == trunk.name) => {
                    self.problems.push(value.problem(format!("trunk {} is there twice", trunk.name), "remove one"));
                }
                Some(trunk) => trunks.push(trunk),
                None => {}
            }
        }
        let values = self.take("route", Value::list);
        let rules = values.iter().filter_map(|value| route::read(value, &trunks, self.problems)).collect();
        let home = domains.first().map_or("localhost", String::as_str);
        Rules::new(rules, Trunks::new(trunks), self.take("proxy.timezone", zone::read), home)
    }

    /// A problem that can only be seen where everything could be read.
    pub(super) fn problem(&mut self, value: &Value, what: impl Into<String>, help: &str) {
        // After a problem, values that could not be read are zero or empty, and comparing those says nothing.
        if self.problems.is_empty() {
            self.problems.push(value.problem(what, help));
        }
    }

    fn registrar(&mut self) -> Registrar {
        let mut number = |key| self.take(key, |value, key| value.number(key, 1..EXPIRES_S_MAX + 1));
        let registrar = Registrar {
            min_expires_s: number("registrar.min_expires_s"),
            max_expires_s: number("registrar.max_expires_s"),
            default_expires_s: number("registrar.default_expires_s"),
            service_route: self.take("registrar.service_route", service_route),
            flow_timer_s: Some(
                self.take("registrar.flow_timer_s", |value, key| value.number(key, 0..EXPIRES_S_MAX + 1)),
            )
            .filter(|seconds| *seconds > 0),
        };
        let pairs = [
            ("min_expires_s", registrar.min_expires_s, "default_expires_s", registrar.default_expires_s),
            ("default_expires_s", registrar.default_expires_s, "max_expires_s", registrar.max_expires_s),
            ("min_expires_s", registrar.min_expires_s, "max_expires_s", registrar.max_expires_s),
        ];
        for (low, low_s, high, high_s) in pairs {
            if low_s > high_s {
                let values = [low, high].map(|key| self.file.get(&format!("registrar.{key}")));
                // At the one that somebody typed.
                let typed = values.into_iter().max_by_key(|value| value.origin).unwrap_or(values[0]);
                let what = format!("registrar.{low} ({low_s}) is more than registrar.{high} ({high_s})");
                self.problem(typed, what, "raise the one or lower the other");
            }
        }
        registrar
    }

    fn users(&mut self, auth: &Auth, domains: &[String], limits: &Limits, chance: &mut engine::Rng) -> Vec<Account> {
        let mut users: Vec<Account> = Vec::new();
        for value in self.take("user", Value::list) {
            match user::read(&value, &auth.realm, domains, &auth.algorithms, limits, chance) {
                Ok(user) if users.iter().any(|other| other.name == user.name) => {
                    self.problems.push(value.problem(format!("user {} is there twice", user.name), "remove one"));
                }
                Ok(user) => users.push(user),
                Err(problems) => self.problems.extend(problems),
            }
        }
        users
    }
}

fn data(value: &Value, key: &str) -> Result<PathBuf, Problem> {
    let text = value.text(key)?;
    if text.is_empty() {
        Err(value.problem("the data folder has no name", "such as \"ringback-data\""))
    } else {
        Ok(text.into())
    }
}

/// `sqlite:FILE`, the one kind that there is.
fn store_url(value: &Value, key: &str) -> Result<String, Problem> {
    let text = value.text(key)?;
    let help = match text.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() && !file.starts_with("//") => return Ok(text),
        Some(("postgres" | "postgresql" | "redis" | "valkey", _)) => "only \"sqlite:FILE\" is there yet",
        _ => "\"sqlite:\" and a file, which is in the data folder unless it has a whole path",
    };
    Err(value.problem(format!("`{key}` cannot be {text:?}"), help))
}

fn log_format(value: &Value, key: &str) -> Result<LogFormat, Problem> {
    let formats = [LogFormat::Text, LogFormat::Json];
    Ok(formats.get(value.choice(key, &["text", "json"])?).copied().unwrap_or_default())
}

fn realm(value: &Value, key: &str) -> Result<String, Problem> {
    let text = value.text(key)?;
    if text.is_empty() || text.contains(|letter: char| letter.is_control() || letter == '"' || letter == '\\') {
        return Err(value.problem("this cannot be a realm", "a short text without quotes and backslashes"));
    }
    Ok(text)
}

fn domains(value: &Value, key: &str) -> Result<Vec<String>, Problem> {
    let domain = |item: &Value| {
        let text = item.text(key)?;
        let text = if text.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{text}]") } else { text };
        if is_host(&text) {
            return Ok(text);
        }
        Err(item.problem(format!("{text:?} is no domain"), "a host name or an IP address, without a port"))
    };
    value.list(key)?.iter().map(domain).collect()
}

fn algorithms(value: &Value, key: &str) -> Result<Vec<Algorithm>, Problem> {
    let algorithm = |item: &Value| {
        let text = item.text(key)?;
        let help = "\"MD5\" and \"SHA-256\" are there";
        Algorithm::parse(&text).ok_or_else(|| item.problem(format!("{text:?} is no digest algorithm of ours"), help))
    };
    let items = value.list(key)?;
    if items.is_empty() {
        return Err(value.problem("no digest algorithm is left", "[\"MD5\"] is what every phone can do"));
    }
    items.iter().map(algorithm).collect()
}

fn ports(value: &Value, key: &str) -> Result<(), Problem> {
    let help = "the first and the last port, such as [10000, 29999]";
    let [first, last] = &value.list(key)?[..] else {
        return Err(value.problem(format!("`{key}` needs two ports"), help));
    };
    let port = |item: &Value| item.number(key, 1..65_536);
    let (first, last) = (port(first)?, port(last)?);
    if first >= last {
        return Err(value.problem(format!("`{key}` begins with {first} and ends with {last}"), help));
    }
    Ok(())
}

fn max_breadth(value: &Value, key: &str) -> Result<u16, Problem> {
    let number = value.number(key, 1..u32::from(MAX_BREADTH_MAX) + 1)?;
    Ok(u16::try_from(number).unwrap_or(MAX_BREADTH_MAX))
}

fn mode(value: &Value, key: &str) -> Result<Option<Mode>, Problem> {
    let all = [
        ("stateful", Mode::Stateful),
        ("stateless", Mode::Stateless),
        ("redirect", Mode::Redirect),
        ("call-stateful", Mode::CallStateful),
    ];
    let (words, modes): (Vec<&str>, Vec<Mode>) = all.into_iter().unzip();
    Ok(modes.get(value.choice(key, &words)?).copied())
}

fn servers(value: &Value, key: &str) -> Result<Vec<SocketAddr>, Problem> {
    const DNS: u16 = 53;
    let server = |item: &Value| {
        let text = item.text(key)?;
        let with_port = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS)).or_else(|_| text.parse());
        let help = "an IP address, with or without a port";
        with_port.map_err(|_| item.problem(format!("`{key}` has {text:?}, which is no address"), help))
    };
    value.list(key)?.iter().map(server).collect()
}

/// Each URI as a loose route (RFC 3608 section 6.3).
fn service_route(value: &Value, key: &str) -> Result<Option<String>, Problem> {
    let route = |item: &Value| {
        let text = item.text(key)?;
        let uri = Uri::parse(&text).ok().filter(|uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips));
        let help = "such as \"sip:edge.example.org;lr\"";
        let Some(uri) = uri else { return Err(item.problem(format!("{text:?} is no SIP URI"), help)) };
        if text.contains(['<', '>', ',', '"']) || !uri.headers.is_empty() {
            return Err(item.problem(format!("{text:?} cannot be a route"), help));
        }
        Ok(if uri.param("lr").is_some() { format!("<{text}>") } else { format!("<{text};lr>") })
    };
    let routes = value.list(key)?.iter().map(route).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(routes.join(", ")).filter(|routes| !routes.is_empty()))
}
