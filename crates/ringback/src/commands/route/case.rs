use super::{Test, YesNo};
use crate::commands::counter::Missing;
use crate::config::{self, Config};
use crate::control::{self, Command};
use crate::exchange::machine_names;
use crate::exit::Failure;
use engine::Now;
use routing::{Facts, Forwards};
use server::Domains;
use sip_message::{Builder, HeaderName, Message, Uri};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

/// A request that nobody has sent, and the exchange that gets it.
pub(super) struct Case {
    pub(super) config: Config,
    pub(super) users: BTreeMap<String, Forwards>,
    domains: Domains,
    /// Of some request; the rules look at its Request-URI apart from it.
    message: Message,
    from: String,
    pub(super) to: String,
    source: SocketAddr,
    transport: sip_message::Transport,
    /// Who has logged in.
    pub(super) caller: Option<String>,
    pub(super) trunk: Option<String>,
    now: Now,
    registered: Option<bool>,
}

impl Case {
    pub(super) fn new(test: &Test) -> Result<Case, Failure> {
        let (mut config, _) = test.configured.read()?;
        let users = add_what_is_stored(&mut config, test)?;
        let names = if config.domains.is_empty() { machine_names() } else { config.domains.clone() };
        let listen = &config.listen;
        let addresses = [&listen.udp, &listen.tcp, &listen.tls, &listen.ws, &listen.wss].into_iter().flatten();
        let domains = Domains::new(names, addresses.map(SocketAddr::port).collect()).map_err(Failure::usage)?;
        let [from, to] = [("--from", &test.from), ("--to", &test.to)].map(|(flag, text)| uri(&config, flag, text));
        let (from, to) = (from?, to?);
        let trunks = config.rules.trunks();
        let trunk = match &test.trunk {
            Some(name) if trunks.get(name).is_none() => {
                return Err(Failure::usage(format!("--trunk: there is no trunk {name:?}")));
            }
            Some(name) => Some(name.clone()),
            None => trunks.find(test.source, &[]).map(|trunk| trunk.name.clone()),
        };
        let now = Now::read_clocks();
        let now = match &test.at {
            None => now,
            Some(text) => {
                let unix_s = config.rules.zone().moment(text);
                let unix_s = unix_s.map_err(|wanted| Failure::usage(format!("--at {text:?}: {wanted} is needed")))?;
                Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(unix_s), ..now }
            }
        };
        let message = message(test, &from, &to)?;
        let mut case = Case {
            users,
            domains,
            message,
            from,
            to,
            source: SocketAddr::new(test.source, 5060),
            transport: test.transport,
            caller: None,
            trunk,
            now,
            registered: test.registered.map(|answer| answer == YesNo::Yes),
            config,
        };
        case.caller = case.user_who_calls();
        Ok(case)
    }

    /// What rules can look at, where the request is for `to`, in the name of `payer` or else of the caller.
    pub(super) fn facts<'a>(
        &'a self,
        to: &'a str,
        payer: Option<&'a str>,
        registered: Option<bool>,
    ) -> Option<Facts<'a>> {
        let to = Uri::parse(to).ok()?;
        Some(Facts {
            message: &self.message,
            from: Uri::parse(&self.from).ok()?,
            to,
            source: self.source.ip(),
            transport: self.transport,
            caller: payer.or(self.caller.as_deref()),
            trunk: if payer.is_some() { None } else { self.trunk.as_deref() },
            now: self.now,
            to_ours: self.domains.contains(&to, Self::local()),
            to_registered: registered,
        })
    }

    /// The user of ours that a URI means, whether or not there is such an account.
    pub(super) fn user_of(&self, uri: &str) -> Option<String> {
        let uri = Uri::parse(uri).ok()?;
        let ours = uri.scheme == sip_message::Scheme::Tel || self.domains.contains(&uri, Self::local());
        ours.then(|| self.domains.address_of_record(&uri)).flatten().map(|aor| aor.user().to_owned())
    }

    /// Whether `user` is registered, as far as the flag says: it speaks of who was called.
    pub(super) fn registered(&self, user: &str) -> Option<bool> {
        self.registered.filter(|_| self.user_of(&self.to).as_deref() == Some(user))
    }

    /// Whose name the From has, if it is a name of ours.
    pub(super) fn name_used(&self) -> Option<String> {
        let uri = Uri::parse(&self.from).ok()?;
        let ours = self.domains.names_us(&uri, Self::local());
        ours.then(|| self.domains.address_of_record(&uri)).flatten().map(|aor| aor.user().to_owned())
    }

    /// Whether it is a call, which alone is forwarded.
    pub(super) fn is_call(&self) -> bool {
        self.message.method() == sip_message::Method::Invite
    }

    pub(super) fn method(&self) -> &str {
        self.message.method_text()
    }

    pub(super) fn from(&self) -> &str {
        &self.from
    }

    /// Who has logged in: whoever uses a name of ours, does not come through a trunk, and can.
    fn user_who_calls(&self) -> Option<String> {
        if self.trunk.is_some() || !self.config.auth.required {
            return None;
        }
        self.name_used().filter(|name| self.users.contains_key(name))
    }

    /// No address of ours in particular.
    fn local() -> SocketAddr {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    }
}

/// A URI as it was typed, or that of a number of ours.
fn uri(config: &Config, flag: &str, text: &str) -> Result<String, Failure> {
    let has_scheme = text.split_once(':').is_some_and(|(scheme, _)| ["sip", "sips", "tel"].contains(&scheme));
    let uri = match (has_scheme, text.contains('@')) {
        (true, _) => text.to_owned(),
        (false, true) => format!("sip:{text}"),
        (false, false) => config.rules.home_uri(text),
    };
    match Uri::parse(&uri) {
        Ok(_) if !text.is_empty() => Ok(uri),
        Ok(_) => Err(Failure::usage(format!("{flag} is empty"))),
        Err(error) => Err(Failure::usage(format!("{flag} {text:?} is no number and no URI: {error}"))),
    }
}

fn message(test: &Test, from: &str, to: &str) -> Result<Message, Failure> {
    let mut builder = Builder::request(&test.method, to)
        .header(HeaderName::Via, format_args!("SIP/2.0/{} {};branch=z9hG4bKtest", test.transport, "localhost"))
        .header(HeaderName::MaxForwards, 70)
        .header(HeaderName::From, format_args!("<{from}>;tag=test"))
        .header(HeaderName::To, format_args!("<{to}>"))
        .header(HeaderName::CallId, "test")
        .header(HeaderName::CSeq, format_args!("1 {}", test.method));
    for header in &test.header {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| Failure::usage(format!("--header {header:?} is no field: 'NAME: VALUE' is needed")))?;
        builder = builder.field(name.trim(), value.trim());
    }
    Message::parse(builder.finish())
        .map_err(|malformed| Failure::usage(format!("there can be no such request: {}", malformed.defect.reason())))
}

/// Adds the rules that are set at run time, and gives the users: the configured ones and those that are stored.
fn add_what_is_stored(config: &mut Config, test: &Test) -> Result<BTreeMap<String, Forwards>, Failure> {
    let mut users: BTreeMap<String, Forwards> =
        config.users.iter().map(|user| (user.name.clone(), user.forwards.clone())).collect();
    let mut counter = test.configured.counter(Missing::Spare)?;
    counter.ask(&Command::UserLs {}, |user| {
        let name = user["user"].as_str().filter(|_| user["from"] != "configuration" && user["usable"] == true);
        let Some(name) = name.filter(|name| !users.contains_key(*name)) else { return };
        let forwards = serde_json::from_value::<control::Forwards>(user["forward"].clone()).unwrap_or_default();
        users.insert(name.to_owned(), config::read_forwards(name, &forwards).unwrap_or_default());
    })?;
    let mut more = Vec::new();
    counter.ask(&Command::RouteLs {}, |route| {
        let (name, toml) = (route["route"].as_str().unwrap_or_default(), route["toml"].as_str().unwrap_or_default());
        more.extend(config::read_route(name, toml, config.rules.trunks().as_slice()));
    })?;
    config.rules = std::mem::take(&mut config.rules).followed_by(more);
    Ok(users)
}
