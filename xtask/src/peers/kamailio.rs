//! Kamailio (Debian): the rival in the bench, and a stand-in exchange that shows whether a scenario itself is sound.

use std::process::Command;

use anyhow::{Result, bail};

use super::PASSWORD;
use crate::process::{Process, Scope, eventually};
use std::net::TcpStream;
use std::time::Duration;

/// How Kamailio is run.
pub(crate) struct Setup {
    /// Worker processes for UDP.
    pub(crate) children: u32,
    /// The core it is pinned to; `None`: any.
    pub(crate) core: Option<u32>,
}

/// Starts Kamailio on `ip`:5060, UDP and TCP; returns when it accepts connections.
pub(crate) fn start(scope: &Scope, ip: &str, setup: &Setup) -> Result<Process> {
    let file = scope.write("kamailio.cfg", configuration(ip, setup.children))?;
    let mut command = match setup.core {
        Some(core) => {
            let mut pinned = Command::new("taskset");
            pinned.args(["-c", &core.to_string(), "kamailio"]);
            pinned
        }
        None => Command::new("kamailio"),
    };
    // -DD: stay in the foreground but with all worker processes; -m, -M: shared and private memory in MB.
    command.args(["-DD", "-E", "-m", "1024", "-M", "64", "-Y"]).arg(scope.dir()).arg("-f").arg(file);
    let mut process = scope.start("kamailio", &command)?;
    eventually("Kamailio's TCP port", Duration::from_secs(20), || {
        if !process.running()? {
            bail!("Kamailio ended\n{}", process.output());
        }
        Ok(TcpStream::connect((ip, 5060)).is_ok())
    })?;
    Ok(process)
}

/// A plain registrar and record-routing stateful proxy with everything in memory: what is measured is the SIP work.
/// Calls from elsewhere to registered users need no credentials, REGISTER does; a nonce may be used again.
fn configuration(ip: &str, children: u32) -> String {
    format!(
        r#"#!KAMAILIO
debug=0
log_stderror=yes
memdbg=5
memlog=5
children={children}
tcp_children=1
listen=udp:{ip}:5060
listen=tcp:{ip}:5060
auto_aliases=no
dns=no
rev_dns=no
use_dns_cache=off
server_signature=no
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "hash_size", 14)
modparam("registrar", "max_contacts", 10)
modparam("auth", "nonce_expire", 3600)
modparam("rr", "enable_full_lr", 0)
modparam("rr", "append_fromtag", 0)
modparam("tm", "failure_reply_mode", 3)

request_route {{
    if (!mf_process_maxfwd_header("70")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) {{
            t_relay();
            exit;
        }}
        if (is_method("ACK")) {{
            if (t_check_trans()) t_relay();
            exit;
        }}
        sl_send_reply("404", "Not Here");
        exit;
    }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("$fd", "{PASSWORD}", "0")) {{
            www_challenge("$fd", "1");
            exit;
        }}
        if (!save("location")) sl_reply_error();
        exit;
    }}
    if (is_method("OPTIONS") && uri==myself && $rU==$null) {{
        sl_send_reply("200", "OK");
        exit;
    }}
    if (is_method("INVITE")) record_route();
    if (!lookup("location")) {{
        t_newtran();
        t_reply("404", "Not Found");
        exit;
    }}
    t_relay();
}}
"#
    )
}
