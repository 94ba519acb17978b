use crate::config::Config;
use crate::console::Console;
use routing::{Action, AddressPattern, Rule};
use serde_json::{Value, json};
use server::Mode;
use std::fmt::Display;
use std::net::SocketAddr;

/// Says what a configuration without errors does, a line for each trunk, rule and forward, and what somebody should look at.
/// `doubts` are those about its certificates.
pub(super) fn explain(config: &Config, doubts: Vec<String>, console: &Console) {
    let mut told = false;
    let mut tell = |words: &dyn Display, event: Value| {
        console.tell(words, || event);
        told = true;
    };
    for trunk in config.rules.trunks().as_slice() {
        tell(trunk, json!({"event": "trunk", "name": trunk.name, "words": trunk.to_string()}));
    }
    for rule in config.rules.as_slice() {
        tell(rule, json!({"event": "route", "route": rule.number, "name": rule.name, "words": rule.to_string()}));
    }
    for user in &config.users {
        for (when, place) in user.forwards.places() {
            let cause = match when {
                "always" => "every call".to_owned(),
                "no_answer" => format!("what is not answered after {} s", user.forwards.no_answer_after_s),
                "busy" => "what finds them busy".to_owned(),
                _ => "what finds no phone of theirs".to_owned(),
            };
            let words = format!("user {}: {cause} goes to {place}", user.name);
            tell(
                &words,
                json!({"event": "forward", "user": user.name, "when": when, "to": place.as_str(), "words": words}),
            );
        }
    }
    for words in doubts.into_iter().chain(warnings(config)) {
        console.event(&json!({"event": "warning", "words": words}));
        console.warn(words);
    }
    let good = if told { "\nthe configuration is good" } else { "the configuration is good" };
    console.tell(good, || json!({"event": "checked", "ok": true}));
}

/// What is no error, and probably not meant.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let rules = &config.rules;
    for (later, earlier) in rules.shadowed() {
        warnings.push(format!("{} never fires: {} takes everything before it", later.title(), earlier.title()));
    }
    for rule in rules.as_slice() {
        for pattern in rule.when.to.iter().chain(&rule.when.from).filter(|pattern| pattern.resembles_star_code()) {
            warnings.push(star_code(rule, pattern));
        }
        if matches!(rule.action, Action::Trunk { .. }) {
            let Action::Trunk { names } = &rule.action else { continue };
            for name in names {
                if rules.trunks().get(name).is_some_and(|trunk| trunk.to.is_empty()) {
                    warnings.push(format!("{} leads to trunk {name}, which has no `to`", rule.title()));
                }
            }
        }
        let tries_several = matches!(rule.action, Action::Fork { .. } | Action::Serial { .. });
        if config.proxy.mode == Mode::Stateless && tries_several {
            warnings.push(format!(
                "{} needs state, and proxy.mode is \"stateless\": it has only its first place",
                rule.title()
            ));
        }
    }
    for trunk in rules.trunks().as_slice() {
        if !trunk.names.is_empty() && config.tls.client_ca.is_none() {
            warnings.push(format!("trunk {} can prove nothing: tls.client_ca is not set", trunk.name));
        }
        if !trunk.names.is_empty() && config.listen.tls.is_empty() && config.listen.wss.is_empty() {
            warnings.push(format!("trunk {} is known by its certificate, and listen.tls is off", trunk.name));
        }
        let secret = trunk.to.iter().any(|uri| uri.starts_with("sips:") || uri.contains("transport=tls"));
        if trunk.trust_identity && !secret && trunk.names.is_empty() {
            warnings.push(format!("trunk {} is trusted over a network where anybody could claim to be it", trunk.name));
        }
    }
    let everywhere = |address: &&SocketAddr| !address.ip().is_loopback();
    if let Some(address) = config.listen.ws.iter().find(everywhere) {
        warnings.push(format!("listen.ws has {address}: WebSocket without TLS can be read and changed on its way"));
    }
    if let Some(address) = config.listen.http.iter().find(everywhere) {
        warnings.push(format!("listen.http has {address}: whoever reaches it sees how busy the exchange is"));
    }
    warnings
}

fn star_code(rule: &Rule, pattern: &AddressPattern) -> String {
    format!(
        "{} takes every number that ends like {pattern}; the star code is written '\\{pattern}' (in single quotes)",
        rule.title()
    )
}
