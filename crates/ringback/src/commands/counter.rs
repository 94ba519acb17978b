use crate::config::Config;
use crate::control::{Client, Command};
use crate::desk::{Desk, Settings};
use crate::exchange::{self, World};
use crate::exit::Failure;
use serde_json::Value;
use sip_auth::Algorithm;
use std::path::Path;
use store::{DataFolder, FolderLock, Store, StoreError};

/// Where a command is done: by the exchange that runs, or here on the data of one that is stopped.
pub(super) enum Counter {
    Exchange(Client),
    Data(Box<Stopped>),
}

/// The data of an exchange that is stopped; nobody starts it meanwhile.
pub(super) struct Stopped {
    runtime: tokio::runtime::Runtime,
    desk: Desk,
    folder: DataFolder,
    _lock: Option<FolderLock>,
}

/// What becomes of a data folder that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is made.
    Make,
    /// Without it there is nothing to be done.
    Refuse,
    /// What the configuration says can be looked at all the same.
    Spare,
}

/// What secrets must be made for.
pub(super) struct Ours {
    pub(super) realm: String,
    pub(super) algorithms: Vec<Algorithm>,
}

impl Counter {
    /// Of the exchange that the configuration is for.
    pub(super) fn open(config: Config, missing: Missing) -> Result<Counter, Failure> {
        let mut folder = DataFolder::at(&config.data);
        if let Some(client) = Client::connect(&folder.control_socket())? {
            return Ok(Counter::Exchange(client));
        }
        let mut rng = net::system_rng();
        let is_there = config.data.is_dir();
        let (lock, world) = match missing {
            Missing::Refuse if !is_there => return Err(no_folder(&config.data)),
            Missing::Spare if !is_there => {
                let options = store::Options {
                    realm: config.auth.realm.clone(),
                    accounts: config.users.clone(),
                    ..store::Options::default()
                };
                (None, World::of(Store::volatile(options, &mut rng), None, config.auth.required))
            }
            _ => {
                folder = DataFolder::create(&config.data)?;
                let lock = folder.lock().map_err(|error| match error {
                    StoreError::InUse { .. } => Failure::negative(format!(
                        "{error}\n(that exchange does not listen at {}: it begins or ends just now, or could not, and said so)",
                        folder.control_socket().display()
                    )),
                    other => other.into(),
                })?;
                (Some(lock), World::open(&folder, &config, &mut rng)?)
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::usage(format!("cannot begin: {error}")))?;
        // Nothing is signed without an exchange.
        let keys = server::Keys::from_secret([0; 32]);
        let names = exchange::names(&config);
        let desk = Desk::new(world, Settings { config, names, keys }, None);
        Ok(Counter::Data(Box::new(Stopped { runtime, desk, folder, _lock: lock })))
    }

    /// Has a command done, and gives `each` what it gives.
    pub(super) fn ask(&mut self, command: &Command, each: impl FnMut(Value)) -> Result<(), Failure> {
        match self {
            Counter::Exchange(client) => client.ask(command, each),
            Counter::Data(stopped) => {
                stopped.runtime.block_on(stopped.desk.answer(command.clone()))?.for_each(each);
                Ok(())
            }
        }
    }

    /// What secrets must be made for.
    pub(super) fn ours(&mut self) -> Result<Ours, Failure> {
        let (mut realm, mut algorithms) = (String::new(), Vec::new());
        self.ask(&Command::Realm {}, |value| {
            realm = value["realm"].as_str().unwrap_or_default().to_owned();
            let names = value["algorithms"].as_array().into_iter().flatten().filter_map(Value::as_str);
            algorithms = names.filter_map(Algorithm::parse).collect();
        })?;
        Ok(Ours { realm, algorithms })
    }

    /// Words to add to what is done, where that may not be where somebody thinks it is.
    pub(super) fn place(&self) -> String {
        match self {
            Counter::Exchange(_) => String::new(),
            Counter::Data(stopped) => {
                format!("\n(kept in {}, on which no exchange runs now)", stopped.folder.path().display())
            }
        }
    }
}

fn no_folder(path: &Path) -> Failure {
    Failure::negative(format!(
        "there is no data folder {}; name the exchange's with --data DIR, or begin with `ringback user add NAME`",
        path.display()
    ))
}
