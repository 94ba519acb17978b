use super::counter::{Counter, Missing};
use crate::config::{Config, ConfigFile};
use crate::control::{Client, Command};
use crate::exit::Failure;
use clap::Args;
use serde_json::Value;
use std::path::{Path, PathBuf};
use store::DataFolder;

/// Where the configuration comes from, for every command that reads it.
#[derive(Debug, Args)]
pub(crate) struct Configured {
    /// The configuration, a TOML file; all keys are shown by `ringback config show`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder [default: ringback-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Sets one key, as in --set listen.udp=127.0.0.1:5060; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// What of [`Configured`] a command line has to say again, where it is to be in a file; `data` is in the configuration.
pub(crate) struct Said<'a> {
    pub(crate) config: Option<&'a Path>,
    pub(crate) set: &'a [String],
}

impl Configured {
    /// What was said.
    pub(crate) fn said(&self) -> Said<'_> {
        Said { config: self.config.as_deref(), set: &self.set }
    }

    /// Takes what was said in front of the command; what was said behind it counts more.
    pub(crate) fn inherit(&mut self, outer: Configured) {
        self.config = self.config.take().or(outer.config);
        self.data = self.data.take().or(outer.data);
        self.set.splice(0..0, outer.set);
    }

    /// Whether nothing was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.config.is_none() && self.data.is_none() && self.set.is_empty()
    }

    /// Where commands are done: by the exchange that runs on the data folder, or here, on what is in it.
    pub(super) fn counter(&self, missing: Missing) -> Result<Counter, Failure> {
        Counter::open(self.read()?.0, missing)
    }

    /// Has one command done there.
    pub(super) fn ask(&self, command: &Command, each: impl FnMut(Value)) -> Result<(), Failure> {
        self.counter(Missing::Refuse)?.ask(command, each)
    }

    /// The exchange that runs on the data folder.
    pub(crate) fn running(&self) -> Result<Client, Failure> {
        let (config, _) = self.read()?;
        let folder = DataFolder::at(&config.data);
        Client::connect(&folder.control_socket())?.ok_or_else(|| {
            Failure::negative(format!(
                "no exchange runs on the data folder {}; start one with `ringback`, or name its folder with --data DIR",
                config.data.display()
            ))
        })
    }

    /// Flag over environment over file over default.
    pub(crate) fn read(&self) -> Result<(Config, ConfigFile), Failure> {
        let mut file = ConfigFile::new();
        if let Some(path) = &self.config {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::usage(format!("the configuration {} cannot be read: {error}", path.display()))
            })?;
            file.add_text(&path.display().to_string(), &text);
        }
        let variables = std::env::vars_os();
        file.add_environment(
            variables.filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?))),
        );
        self.set.iter().for_each(|setting| file.add_setting(setting));
        if let Some(data) = &self.data {
            file.add_flag("data", "--data", &data.display().to_string());
        }
        Config::read(file, &mut net::system_rng()).map_err(|problems| {
            let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::usage(texts.join("\n\nerror: "))
        })
    }
}
