use super::running::Running;
use crate::config::Config;
use crate::console::Console;
use crate::desk::Settings;
use crate::exchange::GateConfig;
use crate::exit::Failure;
use engine::Now;
use serde_json::json;

/// What of a reload somebody is told.
struct Reloaded {
    /// The parts that have changed and stay as they were.
    restart_for: Vec<&'static str>,
    /// What somebody should look at.
    doubts: Vec<String>,
}

impl Running<'_> {
    /// Takes over what has changed in the configuration. No call and no connection is touched. What is wrong with it is said, and then
    /// nothing changes at all.
    pub(super) async fn reload(&mut self, console: &Console) {
        match self.take_over().await {
            Ok(Reloaded { restart_for, doubts }) => {
                doubts.iter().for_each(|doubt| console.warn(doubt));
                let rest = match restart_for.is_empty() {
                    true => String::new(),
                    false => format!("; what has changed in {} needs a restart", restart_for.join(", ")),
                };
                console.say(format!("reloaded{rest}"));
                console.event(&json!({"event": "reloaded", "restart_for": restart_for}));
            }
            Err(failure) => {
                console.warn(format!("not reloaded, everything stays as it is: {}", failure.text));
                console.event(&json!({"event": "reload_failed", "reason": failure.text}));
            }
        }
    }

    async fn take_over(&mut self) -> Result<Reloaded, Failure> {
        let (mut config, _) = self.configured.read()?;
        let restart_for = self.started.differences(&Parts::of(&config));
        // The last thing that can fail.
        let mut doubts = self.certificates.reconfigure(config.tls.clone(), Now::read_clocks().wall)?;
        let settings = self.desk.settings();
        // What needs a restart stays as it is for commands, too.
        let auth = &settings.config.auth;
        config.auth.required = auth.required;
        if config.auth.realm == auth.realm {
            self.exchange.world.configure_accounts(config.users.clone());
        }
        // Secrets of another realm would fit no challenge of this exchange.
        config.auth.realm.clone_from(&auth.realm);
        if let Some(gate) = &self.exchange.world.gate {
            gate.configure(&GateConfig::new(&config));
        }
        self.drain = config.drain;
        let settings = Settings { config, names: settings.names.clone(), keys: settings.keys };
        doubts.extend(self.desk.configure(settings).await);
        Ok(Reloaded { restart_for, doubts })
    }
}

/// The parts of a configuration that are looked at only when an exchange is started, by their names.
pub(super) struct Parts([(&'static str, String); 8]);

impl Parts {
    pub(super) fn of(config: &Config) -> Parts {
        Parts([
            ("data", format!("{:?}", config.data)),
            ("domains", format!("{:?}", config.domains)),
            ("listen", format!("{:?}", config.listen)),
            ("auth.required", config.auth.required.to_string()),
            ("auth.realm", config.auth.realm.clone()),
            ("dns", format!("{:?}", config.dns_servers)),
            ("store", format!("{:?}", config.store)),
            ("log", format!("{:?}", config.log)),
        ])
    }

    /// The names of those that are not the same in `other`.
    fn differences(&self, other: &Parts) -> Vec<&'static str> {
        let both = self.0.iter().zip(&other.0);
        both.filter(|(one, other)| one != other).map(|((name, _), _)| *name).collect()
    }
}
