use super::Listen;
use super::read::Reader;
use super::value::{Origin, Value};
use sip_message::Transport;

/// Reads `[listen]`.
pub(super) fn read(reader: &mut Reader<'_>) -> Listen {
    let keys = ["listen.udp", "listen.tcp", "listen.tls", "listen.ws", "listen.wss"];
    let [mut udp, mut tcp, mut tls, mut ws, mut wss] = keys.map(|key| reader.take(key, Value::addresses));
    let mut http = reader.take("listen.http", Value::addresses);
    let tls_only = reader.take("listen.tls_only", Value::switch);
    let file = reader.file;
    if tls_only && tls.is_empty() && wss.is_empty() {
        let what = "listen.tls_only leaves no address to listen on";
        reader.problem(file.get("listen.tls_only"), what, "give listen.tls or listen.wss an address");
    } else if [&udp, &tcp, &tls, &ws, &wss].iter().all(|addresses| addresses.is_empty()) {
        // At the last one that somebody turned off.
        let values = keys.map(|key| file.get(key));
        let last =
            values.into_iter().filter(|value| value.origin != Origin::Default).max_by_key(|value| value.span.start);
        let help = "give listen.udp or listen.tcp an address";
        reader.problem(last.unwrap_or(values[0]), "there is no address to listen on", help);
    }
    let is_default = |key: &str| file.get(key).origin == Origin::Default;
    let chosen = !is_default("listen.udp") || !is_default("listen.tcp");
    // Where only one of the two is chosen, the other is there, too: long messages need it.
    match (is_default("listen.udp"), is_default("listen.tcp")) {
        (true, false) if !tcp.is_empty() => udp.clone_from(&tcp),
        (false, true) if !udp.is_empty() => tcp.clone_from(&udp),
        _ => {}
    }
    let mut optional = Vec::new();
    if tls_only {
        // TLS is then what the exchange is there for, chosen or not.
        [&mut udp, &mut tcp, &mut ws].into_iter().for_each(Vec::clear);
    } else {
        for (key, transport, addresses) in
            [("listen.tls", Transport::Tls, &mut tls), ("listen.wss", Transport::Wss, &mut wss)]
        {
            if is_default(key) {
                optional.push(transport);
                // Whoever says where to listen is listened to: nothing is open beside that.
                if chosen {
                    addresses.clear();
                }
            }
        }
    }
    let http_optional = is_default("listen.http");
    if chosen && http_optional {
        http.clear();
    }
    Listen { udp, tcp, tls, ws, wss, http, http_optional, chosen, optional }
}
