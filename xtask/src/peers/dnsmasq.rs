//! dnsmasq (Debian): a name server with exactly the records that a test wants.

use std::process::Command;

use anyhow::Result;

use crate::process::{Process, Scope};

/// Starts one on `ip`:`port` that knows `records` (lines of its configuration: `srv-host=..`, `naptr-record=..`, `host-record=..`)
/// and nothing else.
pub(crate) fn start(scope: &Scope, name: &str, ip: &str, port: u16, records: &str) -> Result<Process> {
    let file = scope.write(
        &format!("{name}.conf"),
        format!(
            "port={port}\nlisten-address={ip}\nbind-interfaces\nno-resolv\nno-hosts\nno-poll\nlocal=/test/\nlog-queries\n\
             log-facility=-\n{records}\n"
        ),
    )?;
    let mut command = Command::new("dnsmasq");
    command.args(["--keep-in-foreground", "--user=", "--group=", "--pid-file="]);
    command.arg(format!("--conf-file={}", file.display()));
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let mut process = scope.start(name, &command)?;
    process.wait_udp_bound(ip, port)?;
    process.wait_tcp_listening(ip, port)?;
    Ok(process)
}
