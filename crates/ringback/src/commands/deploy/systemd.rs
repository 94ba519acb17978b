use super::{DATA, DESCRIPTORS, Plan};
use crate::exit::Failure;
use std::fmt::Write;
use std::path::Path;

/// Where systemd keeps the folders of services, and gives them to the users that it makes up.
const STATE: &str = "/var/lib";

/// The unit file.
pub(super) fn unit(plan: &Plan) -> Result<String, Failure> {
    let data = plan.data.as_deref().unwrap_or(Path::new(DATA));
    let state = data.strip_prefix(STATE).ok().filter(|folder| folder.components().next().is_some());
    if state.is_none() && plan.user.is_none() {
        return Err(Failure::usage(format!(
            "data in {} needs a user of its own: add --user NAME (and give that user the folder), or choose a folder in {STATE}",
            data.display()
        )));
    }
    let mut command =
        vec![word(&plan.program.display().to_string()), "serve".to_owned(), "--no-first-accounts".to_owned()];
    if let Some(config) = &plan.config {
        command.extend(["--config".to_owned(), word(&config.display().to_string())]);
    }
    command.extend(["--data".to_owned(), word(&data.display().to_string())]);
    for setting in plan.set.iter().filter(|setting| !setting.starts_with("data=")) {
        command.extend(["--set".to_owned(), word(setting)]);
    }
    let mut who = match &plan.user {
        Some(user) => format!("User={user}\n"),
        None => "DynamicUser=yes\n".to_owned(),
    };
    let paths = [Some(data), plan.config.as_deref()].into_iter().flatten().chain(plan.files.iter().map(AsRef::as_ref));
    let at_home =
        paths.into_iter().any(|path| ["/home", "/root", "/run/user"].iter().any(|home| path.starts_with(home)));
    // Writing to a string cannot fail.
    let _ = match state {
        Some(folder) => {
            writeln!(who, "StateDirectory={}\nStateDirectoryMode=0700", word(&folder.display().to_string()))
        }
        None => writeln!(who, "ReadWritePaths={}", word(&data.display().to_string())),
    };
    let (ambient, bounding) = if plan.privileged { ("CAP_NET_BIND_SERVICE", "CAP_NET_BIND_SERVICE") } else { ("", "") };
    let folder = data.display();
    Ok(format!(
        "\
# Ringback as a service. To install it:
#
#   ringback deploy systemd > /etc/systemd/system/ringback.service
#   systemctl daemon-reload && systemctl enable --now ringback
#   ringback user add 100 --data {folder}        there are no accounts at first
#
# `systemctl reload ringback` reads the configuration and the certificates again; `systemctl stop` lets calls end first.
[Unit]
Description=Ringback, a telephone exchange
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart={command}
ExecReload=kill -HUP $MAINPID
Restart=on-failure
RestartSec=2
TimeoutStopSec={stop}
KillMode=mixed
{who}WorkingDirectory={working}
UMask=0077
LimitNOFILE={DESCRIPTORS}
LimitCORE=0

# It may open sockets, write its own folder, and nothing else.
AmbientCapabilities={ambient}
CapabilityBoundingSet={bounding}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome={home}
PrivateTmp=yes
PrivateDevices=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
",
        command = command.join(" "),
        stop = plan.stop.as_secs(),
        working = word(&data.display().to_string()),
        home = if at_home { "no" } else { "yes" },
    ))
}

/// A word as systemd reads it back (systemd.service(5), systemd.syntax(7)).
fn word(text: &str) -> String {
    let text = text.replace('%', "%%").replace('$', "$$");
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,@+%$[]".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::{Plan, unit, word};
    use std::time::Duration;

    fn plan() -> Plan {
        Plan {
            program: "/usr/local/bin/ringback".into(),
            user: None,
            config: Some("/etc/ringback.toml".into()),
            data: None,
            set: vec!["domains=a b".into()],
            privileged: false,
            http: None,
            stop: Duration::from_secs(45),
            files: Vec::new(),
        }
    }

    fn has(plan: &Plan, line: &str) -> bool {
        unit(plan).unwrap().lines().any(|other| other == line)
    }

    #[test]
    fn a_unit_has_a_made_up_user_and_no_rights() {
        let plan = plan();
        let start = "ExecStart=/usr/local/bin/ringback serve --no-first-accounts --config /etc/ringback.toml --data /var/lib/ringback \
                     --set \"domains=a b\"";
        for line in [
            start,
            "DynamicUser=yes",
            "StateDirectory=ringback",
            "AmbientCapabilities=",
            "CapabilityBoundingSet=",
            "TimeoutStopSec=45",
            "ProtectHome=yes",
        ] {
            assert!(has(&plan, line), "{line}");
        }
    }

    #[test]
    fn a_low_port_gets_its_one_right() {
        let plan = Plan { privileged: true, ..plan() };
        assert!(has(&plan, "AmbientCapabilities=CAP_NET_BIND_SERVICE"));
        assert!(has(&plan, "CapabilityBoundingSet=CAP_NET_BIND_SERVICE"));
    }

    #[test]
    fn data_elsewhere_needs_a_user() {
        let elsewhere = Plan { data: Some("/srv/ringback".into()), ..plan() };
        assert!(unit(&elsewhere).unwrap_err().text.contains("--user"));
        let with_user = Plan { user: Some("pbx".into()), ..elsewhere };
        assert!(has(&with_user, "User=pbx") && has(&with_user, "ReadWritePaths=/srv/ringback"));
        assert!(!has(&with_user, "DynamicUser=yes"));
        let at_home = Plan { data: Some("/home/pbx/data".into()), ..with_user };
        assert!(has(&at_home, "ProtectHome=no"));
        let in_state = Plan { data: Some("/var/lib/pbx".into()), ..plan() };
        assert!(has(&in_state, "StateDirectory=pbx"));
    }

    #[test]
    fn words_survive_systemd() {
        assert_eq!(word("/a/b.toml"), "/a/b.toml");
        assert_eq!(word("100% $HOME"), "\"100%% $$HOME\"");
        assert_eq!(word("a \"b\" \\"), "\"a \\\"b\\\" \\\\\"");
        assert_eq!(word(""), "\"\"");
    }
}
