use sip_message::Host;
use std::net::IpAddr;

/// Everything that this machine is called: its name, the same with `.local`, `localhost`, and all its addresses (IPv6 ones in
/// brackets). The first is the one that it is least likely to lose.
pub(crate) fn machine_names() -> Vec<String> {
    let mut names = host_names(&host_name().unwrap_or_default());
    for ip in all_addresses() {
        let text = match ip {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        if !names.contains(&text) {
            names.push(text);
        }
    }
    names
}

/// The addresses by which others on the network can reach this machine, IPv4 first.
pub(crate) fn lan_addresses() -> Vec<IpAddr> {
    let reachable = |ip: &IpAddr| match ip {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    let mut addresses: Vec<IpAddr> = all_addresses().into_iter().filter(reachable).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Whether a text is what a domain can be: a host name, or an address.
pub(crate) fn is_host(text: &str) -> bool {
    !text.is_empty() && Host::parse(text).is_ok()
}

fn host_names(host: &str) -> Vec<String> {
    let host = host.trim().to_ascii_lowercase();
    let mut names = Vec::new();
    if is_host(&host) && host != "localhost" {
        if !host.contains('.') {
            names.extend([host.clone(), format!("{host}.local")]);
        } else {
            // Also what stands before the dot: people say that, too.
            let short = host.split('.').next().unwrap_or_default().to_owned();
            names.push(host);
            if is_host(&short) && short.parse::<u8>().is_err() {
                names.extend([short.clone(), format!("{short}.local")]);
            }
        }
    }
    names.push("localhost".to_owned());
    names
}

fn host_name() -> Option<String> {
    ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| std::fs::read_to_string(path).ok())
}

fn all_addresses() -> Vec<IpAddr> {
    // Without them there are still the names, and each message's own local address counts as ours anyway.
    if_addrs::get_if_addrs().map_or(Vec::new(), |interfaces| interfaces.iter().map(if_addrs::Interface::ip).collect())
}

#[cfg(test)]
mod tests {
    use super::{host_names, is_host, machine_names};

    #[test]
    fn a_machine_answers_to_all_its_names() {
        assert_eq!(host_names("Attic\n"), ["attic", "attic.local", "localhost"]);
        assert_eq!(host_names("pbx.example.org"), ["pbx.example.org", "pbx", "pbx.local", "localhost"]);
        for none in ["", "localhost", "not a name"] {
            assert_eq!(host_names(none), ["localhost"]);
        }
        let names = machine_names();
        assert!(names.contains(&"127.0.0.1".to_owned()) && names.iter().all(|name| is_host(name)), "{names:?}");
    }
}
