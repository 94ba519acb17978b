use super::{DESCRIPTORS, Plan};
use crate::exit::Failure;
use serde_json::{Value, json};

/// The user that has no rights anywhere else.
const USER: u32 = 10_001;
/// Where things are in the container.
const CONFIG: &str = "/etc/ringback.toml";
const DATA: &str = "/data";

/// The compose file. Strings are written as JSON writes them, which YAML reads.
pub(super) fn file(plan: &Plan) -> Result<String, Failure> {
    let user = match &plan.user {
        Some(user) => {
            user.parse().map_err(|_| Failure::usage(format!("--user {user}: in a container a user is a number")))?
        }
        // Docker gives rights to root alone.
        None if plan.privileged => 0,
        None => USER,
    };
    let mut command = vec!["serve", "--no-first-accounts", "--data", DATA];
    if plan.config.is_some() {
        command.extend(["--config", CONFIG]);
    }
    for setting in plan.set.iter().filter(|setting| !setting.starts_with("data=")) {
        command.extend(["--set", setting]);
    }
    let data = plan.data.as_deref().map_or("ringback-data".to_owned(), |folder| folder.display().to_string());
    let mut volumes = vec![format!("{data}:{DATA}")];
    volumes.extend(plan.config.iter().map(|config| format!("{}:{CONFIG}:ro", config.display())));
    volumes.extend(plan.files.iter().map(|file| format!("{0}:{0}:ro", file.display())));
    let volumes: String = volumes.iter().map(|volume| format!("      - {}\n", quoted(json!(volume)))).collect();
    let rights = if plan.privileged { "    cap_add: [NET_BIND_SERVICE]\n" } else { "" };
    let health = plan.http.map_or(String::new(), |http| {
        let test = json!(["CMD", "wget", "-q", "-O", "/dev/null", format!("http://{http}/healthz")]);
        format!(
            "    healthcheck:\n      test: {test}\n      interval: 10s\n      timeout: 5s\n      start_period: 10s\n"
        )
    });
    let named = if plan.data.is_none() { "volumes:\n  ringback-data:\n" } else { "" };
    let accounts = format!("docker compose exec ringback ringback user add 100 --data {DATA}");
    Ok(format!(
        "\
# Ringback in a container. To run it, beside this file:
#
#   cp {program} ringback        a static one, as `cargo xtask dist` makes it
#   docker compose up --detach --build
#   {accounts}        there are no accounts at first
#
# `docker compose kill -s HUP ringback` reads the configuration and the certificates again; `down` lets calls end first.
services:
  ringback:
    build:
      context: .
      dockerfile_inline: |
        FROM alpine:3
        COPY --chmod=755 ringback /usr/local/bin/ringback
        RUN mkdir -m 700 {DATA} && chown {user}:{user} {DATA}
        ENTRYPOINT [\"/usr/local/bin/ringback\"]
    command: {command}
    user: \"{user}:{user}\"
    # SIP tells its own addresses, and speech has a port for each call: neither goes through a bridge.
    network_mode: host
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
{rights}    security_opt: [no-new-privileges:true]
    environment:
      RINGBACK_LOG__FORMAT: json
    volumes:
{volumes}    ulimits:
      nofile: {DESCRIPTORS}
      core: 0
    restart: unless-stopped
    stop_grace_period: {stop}s
{health}{named}",
        program = plan.program.display(),
        command = quoted(json!(command)),
        stop = plan.stop.as_secs(),
    ))
}

/// Compose fills in variables wherever it finds a dollar sign.
fn quoted(value: Value) -> String {
    value.to_string().replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::{Plan, file};
    use std::time::Duration;

    fn plan() -> Plan {
        Plan {
            program: "/usr/local/bin/ringback".into(),
            user: None,
            config: Some("/srv/ringback.toml".into()),
            data: None,
            set: vec!["domains=\"a$b\"".into()],
            privileged: false,
            http: Some("127.0.0.1:8088".parse().unwrap()),
            stop: Duration::from_secs(45),
            files: vec!["/etc/key.pem".into()],
        }
    }

    fn has(plan: &Plan, line: &str) -> bool {
        file(plan).unwrap().lines().any(|other| other.trim() == line)
    }

    #[test]
    fn a_container_has_a_user_without_rights_and_writes_its_volume_alone() {
        for line in [
            "user: \"10001:10001\"",
            "read_only: true",
            "cap_drop: [ALL]",
            "network_mode: host",
            "command: [\"serve\",\"--no-first-accounts\",\"--data\",\"/data\",\"--config\",\"/etc/ringback.toml\",\"--set\",\"domains=\\\"a$$b\\\"\"]",
            "- \"ringback-data:/data\"",
            "- \"/srv/ringback.toml:/etc/ringback.toml:ro\"",
            "- \"/etc/key.pem:/etc/key.pem:ro\"",
            "test: [\"CMD\",\"wget\",\"-q\",\"-O\",\"/dev/null\",\"http://127.0.0.1:8088/healthz\"]",
            "stop_grace_period: 45s",
            "ringback-data:",
        ] {
            assert!(has(&plan(), line), "{line}");
        }
        assert!(!file(&plan()).unwrap().contains("cap_add"));
    }

    #[test]
    fn a_low_port_takes_root_with_one_right() {
        let plan = Plan { privileged: true, ..plan() };
        assert!(has(&plan, "cap_add: [NET_BIND_SERVICE]") && has(&plan, "user: \"0:0\""));
    }

    #[test]
    fn without_a_port_for_it_there_is_no_health_check() {
        let plan = Plan { http: None, data: Some("/srv/data".into()), user: Some("1000".into()), ..plan() };
        let text = file(&plan).unwrap();
        assert!(!text.contains("healthcheck") && !text.contains("\nvolumes:"));
        assert!(has(&plan, "- \"/srv/data:/data\"") && has(&plan, "user: \"1000:1000\""));
        assert!(file(&Plan { user: Some("pbx".into()), ..plan }).is_err());
    }
}
