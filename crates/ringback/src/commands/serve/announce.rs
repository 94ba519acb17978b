use crate::config::Config;
use crate::console::Console;
use crate::exchange::{self, Exchange};
use net::LocalAddress;
use serde_json::json;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

/// Accounts that the banner names.
const NAMES_SHOWN: usize = 8;

/// Accounts of which the first are looked for.
const NAMES_SORTED_MAX: usize = 10_000;

/// What there is to say when an exchange is ready.
pub(super) struct Beginning<'a> {
    pub(super) config: &'a Config,
    pub(super) exchange: &'a Exchange,
    /// The accounts that were made just now, with their passwords.
    pub(super) created: &'a [(&'static str, String)],
    /// What phones must be told to trust.
    pub(super) authority: Option<&'a Path>,
    /// Where metrics and health are.
    pub(super) http: &'a [SocketAddr],
}

/// Says that the exchange is ready, where it is, and what to do with it.
pub(super) fn announce(beginning: &Beginning<'_>, console: &Console) {
    for (user, password) in beginning.created {
        let event = json!({"event": "account", "user": user, "password": password});
        if console.quiet && !console.json {
            // Nobody could ever learn them otherwise.
            console.tell(format!("{user} {password}"), || event);
        } else {
            console.event(&event);
        }
    }
    console.say(in_words(beginning, console));
    let text = |local: &LocalAddress| format!("{}:{}", local.transport.as_str().to_lowercase(), local.address);
    let sip = beginning.exchange.addresses().iter().map(text);
    let listen: Vec<String> = sip.chain(beginning.http.iter().map(|address| format!("http:{address}"))).collect();
    console.event(&json!({"event": "ready", "listen": listen}));
    if !console.json {
        console.say(format!("ready: {}", listen.join(" ")));
    }
}

fn in_words(Beginning { config, exchange, created, authority, http }: &Beginning<'_>, console: &Console) -> String {
    let addresses = exchange.addresses();
    let places = places(addresses);
    let mut words = format!("{}\n\n", console.bold(concat!("Ringback ", env!("CARGO_PKG_VERSION"))));
    let mut row = |title: &str, text: String| {
        let _ = writeln!(words, "  {title:<10} {text}");
    };
    for (index, place) in places.iter().enumerate() {
        row(if index == 0 { "reach it" } else { "" }, format!("at {place}, over {}", transports(addresses, place)));
    }
    if let Some(authority) = authority {
        row("TLS", format!("for phones that are told to trust {}", authority.display()));
    }
    if !config.domains.is_empty() {
        row("domains", config.domains.join(", "));
    }
    for address in *http {
        row("monitors", format!("http://{address}/metrics, /healthz, /readyz"));
    }
    for (index, (user, password)) in created.iter().enumerate() {
        row(if index == 0 { "accounts" } else { "" }, format!("{user}   password {}", console.bold(password)));
    }
    let place = places.first().map_or("127.0.0.1", String::as_str);
    if let [(first, password), (second, second_password), ..] = *created {
        row("", "(shown this once; `ringback user passwd NAME` makes a new one)".to_owned());
        row(
            "try next",
            format!("tell a phone: server {place}, user {first}, and its password; another one: user {second}"),
        );
        row("or here", format!("ringback answer --as {second}:{second_password}@{place} --play echo"));
        row(
            "",
            format!("ringback call {second} --as {first}:{password}@{place} --play tone --duration 3    (beside it)"),
        );
        row("", "ringback demo".to_owned());
        return words;
    }
    let data = config.data.display();
    let accounts = exchange.world.store.accounts();
    if accounts.is_empty() {
        row("accounts", format!("none; add one with `ringback user add NAME --data {data}`"));
    } else {
        // To sort a million of them takes its time.
        let names = if accounts.len() <= NAMES_SORTED_MAX { accounts.names() } else { Vec::new() };
        let more = if names.len() > NAMES_SHOWN { ", .." } else { "" };
        let first: Vec<&str> = names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
        let colon = if first.is_empty() { "" } else { ": " };
        row("accounts", format!("{}{colon}{}{more}", accounts.len(), first.join(", ")));
        row("", format!("a new password: `ringback user passwd NAME --data {data}`"));
    }
    words
}

/// What others can call us by, best first: each address that we are reached at, with its port unless that is SIP's own.
fn places(addresses: &[LocalAddress]) -> Vec<String> {
    let mut places = Vec::new();
    for local in addresses {
        let ips = match local.address.ip() {
            ip if !ip.is_unspecified() => vec![ip],
            any => exchange::lan_addresses().into_iter().filter(|ip| ip.is_ipv4() == any.is_ipv4()).collect(),
        };
        for ip in ips {
            let host = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
            let place = if local.address.port() == 5060 { host } else { format!("{host}:{}", local.address.port()) };
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    if places.is_empty() {
        places.push("127.0.0.1".to_owned());
    }
    places
}

fn transports(addresses: &[LocalAddress], place: &str) -> String {
    let here = |local: &&LocalAddress| places(&[**local]).iter().any(|other| other == place);
    let names: Vec<&str> = addresses.iter().filter(here).map(|local| local.transport.as_str()).collect();
    names.join(" and ")
}
