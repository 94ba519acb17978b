mod import;

use super::configured::Configured;
use crate::config::Config;
use crate::console::Console;
use crate::control::{Client, Command};
use crate::exit::{Exit, Failure, Outcome};
use crate::secrets;
use clap::{Args, Subcommand};
use serde_json::json;
use sip_auth::Secrets;
use store::{Account, DataFolder, UsersFile, valid_name};

/// Adds, shows and removes accounts; a running exchange notices within a second.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback user add anna          prints the password that was generated for her")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Adds an account, and prints its generated password
    #[command(before_help = "Example: ringback user add anna")]
    Add(Secret),
    /// Lists the accounts
    #[command(before_help = "Example: ringback user ls --json")]
    Ls(Configured),
    /// Shows one account
    #[command(before_help = "Example: ringback user show anna")]
    Show(Named),
    /// Removes an account
    #[command(before_help = "Example: ringback user rm anna")]
    Rm(Named),
    /// Gives an account a new password, and prints it
    #[command(before_help = "Example: ringback user passwd anna")]
    Passwd(Secret),
}

#[derive(Debug, Args)]
struct Named {
    /// The user's name: what stands before the @ of the address
    name: String,
    #[command(flatten)]
    configured: Configured,
}

#[derive(Debug, Args)]
struct Secret {
    #[command(flatten)]
    named: Named,
    /// Takes the password from standard input instead of generating one
    #[arg(long)]
    password_stdin: bool,
}

impl Arguments {
    pub(crate) fn configured(&mut self) -> &mut Configured {
        match &mut self.verb {
            Verb::Ls(configured) => configured,
            Verb::Show(named) | Verb::Rm(named) => &mut named.configured,
            Verb::Add(secret) | Verb::Passwd(secret) => &mut secret.named.configured,
        }
    }
}

pub(crate) fn run(arguments: Arguments, console: &Console) -> Outcome {
    match arguments.verb {
        Verb::Ls(configured) => list(&configured, console),
        Verb::Show(named) => show(&named, console),
        Verb::Rm(named) => {
            let users = Users::open(&named.configured, Missing::Refuse)?;
            users.refuse_configured(&named.name)?;
            users.file.remove(&named.name)?;
            let rest = users.tell_the_exchange();
            console.tell(
                format!("user {} is removed{rest}", named.name),
                || json!({"event": "removed", "user": named.name}),
            );
            Ok(Exit::Done)
        }
        Verb::Add(secret) => set_password(&secret, console, ("added", Missing::Create), UsersFile::add),
        Verb::Passwd(secret) => {
            set_password(&secret, console, ("changed", Missing::Refuse), UsersFile::replace_secrets)
        }
    }
}

/// The accounts of the configuration, and those of the data folder.
struct Users {
    config: Config,
    folder: DataFolder,
    file: UsersFile,
}

/// Whether a folder that is not there is made.
#[derive(Clone, Copy, PartialEq)]
enum Missing {
    Create,
    Refuse,
}

impl Users {
    fn open(configured: &Configured, missing: Missing) -> Result<Users, Failure> {
        let (config, _) = configured.read()?;
        let folder = match missing {
            Missing::Create => DataFolder::create(&config.data)?,
            Missing::Refuse if config.users.is_empty() && !config.data.is_dir() => {
                return Err(Failure::negative(format!(
                    "there is no data folder {}; name the exchange's with --data DIR, or begin with `ringback user add NAME`",
                    config.data.display()
                )));
            }
            Missing::Refuse => DataFolder::at(&config.data),
        };
        let file = folder.users_file();
        Ok(Users { config, folder, file })
    }

    fn all(&self) -> Result<Vec<(Account, &'static str)>, Failure> {
        let in_file = self.file.read()?.into_iter().map(|account| (account, "data folder"));
        let configured = self.config.users.iter().cloned().map(|account| (account, "configuration"));
        Ok(configured.chain(in_file).collect())
    }

    /// So that the change holds when this command ends. An exchange that does not hear it looks for itself, within a second.
    /// The words to add when there is none.
    fn tell_the_exchange(&self) -> String {
        let told = Client::connect(&self.folder.control_socket()).ok().flatten();
        match told.is_some_and(|mut exchange| exchange.ask(&Command::UserRefresh {}, drop).is_ok()) {
            true => String::new(),
            false => format!("\n(kept in {}, on which no exchange runs now)", self.folder.path().display()),
        }
    }

    fn refuse_configured(&self, name: &str) -> Result<(), Failure> {
        if self.config.users.iter().any(|user| user.name == name) {
            return Err(Failure::negative(format!("user {name} is in the configuration file: change it there")));
        }
        // The exchange may have been started with a file that this command was not told of.
        let mut configured = false;
        if let Some(mut exchange) = Client::connect(&self.folder.control_socket())? {
            let command = Command::UserConfigured { name: name.to_owned() };
            exchange.ask(&command, |value| configured = value["configured"] == true)?;
        }
        if configured {
            return Err(Failure::negative(format!(
                "user {name} is in the configuration file of the exchange that runs on this folder: change it there, and send it a SIGHUP"
            )));
        }
        Ok(())
    }
}

fn list(configured: &Configured, console: &Console) -> Outcome {
    let users = Users::open(configured, Missing::Refuse)?;
    for (account, place) in users.all()? {
        let words = match account.realm == users.config.auth.realm {
            true => account.name.clone(),
            false => format!("{} (for realm {}: needs a new password)", account.name, account.realm),
        };
        console.tell(words, || json!({"user": account.name, "realm": account.realm, "from": place}));
    }
    Ok(Exit::Done)
}

fn show(named: &Named, console: &Console) -> Outcome {
    let users = Users::open(&named.configured, Missing::Refuse)?;
    let found = users.all()?.into_iter().find(|(account, _)| account.name == named.name);
    let (account, place) = found.ok_or_else(|| store::StoreError::NoSuchUser(named.name.clone()))?;
    let words =
        format!("user      {}\nrealm     {}\nkept in   the {place}, as digest secrets", account.name, account.realm);
    console.tell(words, || json!({"user": account.name, "realm": account.realm, "from": place}));
    Ok(Exit::Done)
}

fn set_password(
    Secret { named, password_stdin }: &Secret,
    console: &Console,
    (done, missing): (&str, Missing),
    change: fn(&UsersFile, Account) -> Result<(), store::StoreError>,
) -> Outcome {
    let name = &named.name;
    if !valid_name(name) {
        return Err(store::StoreError::BadName(name.clone()).into());
    }
    let users = Users::open(&named.configured, missing)?;
    users.refuse_configured(name)?;
    let typed = if *password_stdin { Some(from_stdin()?) } else { None };
    let generated = match &typed {
        Some(_) => None,
        None => Some(secrets::password(&mut net::system_rng())),
    };
    let realm = users.config.auth.realm.clone();
    let password = typed.as_deref().or(generated.as_deref()).unwrap_or_default();
    let secrets = Secrets::new(name, &realm, password);
    change(&users.file, Account::new(name, &realm, secrets))?;
    let rest = users.tell_the_exchange();
    let words = match &generated {
        Some(password) => {
            format!("user {name} is {done}; the password, shown this once: {}{rest}", console.bold(password))
        }
        None => format!("user {name} is {done}{rest}"),
    };
    console.tell(words, || match &generated {
        Some(password) => json!({"event": done, "user": name, "password": password}),
        None => json!({"event": done, "user": name}),
    });
    Ok(Exit::Done)
}

fn from_stdin() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| Failure::usage(format!("no password: {error}")))?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        return Err(Failure::usage("no password came from standard input"));
    }
    Ok(password)
}
