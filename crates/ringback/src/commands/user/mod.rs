//! `ringback user`: who may register, on a running exchange or on the data of one that is stopped.

mod forward;
mod import;
mod take_over;

use super::configured::Configured;
use super::counter::{Counter, Missing};
use crate::console::Console;
use crate::control::{Account, Command, Put, Secrets};
use crate::exit::{Exit, Failure, Outcome};
use crate::secrets;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use store::valid_name;

/// Adds, shows, changes and removes accounts: of the running exchange, at once, or of the data of one that is stopped.
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
    /// Removes an account, and what is registered for it
    #[command(before_help = "Example: ringback user rm anna")]
    Rm(Named),
    /// Gives an account a new password, and prints it
    #[command(before_help = "Example: ringback user passwd anna")]
    Passwd(Secret),
    /// Says where the calls of an account go instead
    #[command(before_help = "Example: ringback user forward anna --busy 101 --no-answer 199 --after 15")]
    Forward(forward::Arguments),
    /// Takes over the accounts of another exchange, whose phones then register with the passwords that they have
    #[command(before_help = "Example: ringback user import subscriber.sql --from kamailio")]
    Import(take_over::Arguments),
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
            Verb::Forward(arguments) => &mut arguments.configured,
            Verb::Import(arguments) => &mut arguments.configured,
        }
    }
}

pub(crate) fn run(arguments: Arguments, console: &Console) -> Outcome {
    match arguments.verb {
        Verb::Ls(configured) => list(&configured, console),
        Verb::Show(named) => show(&named, console),
        Verb::Rm(Named { name, configured }) => {
            let mut counter = configured.counter(Missing::Refuse)?;
            counter.ask(&Command::UserRm { name: name.clone() }, drop)?;
            console.tell(
                format!("user {name} is removed{}", counter.place()),
                || json!({"event": "removed", "user": name}),
            );
            Ok(Exit::Done)
        }
        Verb::Add(secret) => set_password(&secret, console, "added", Put::Add),
        Verb::Passwd(secret) => set_password(&secret, console, "changed", Put::Secrets),
        Verb::Forward(arguments) => forward::run(arguments, console),
        Verb::Import(arguments) => take_over::run(&arguments, console),
    }
}

/// Where there is something to see, be it in the configuration alone.
fn look(configured: &Configured) -> Result<Counter, Failure> {
    let (config, _) = configured.read()?;
    let missing = if config.users.is_empty() { Missing::Refuse } else { Missing::Spare };
    Counter::open(config, missing)
}

fn list(configured: &Configured, console: &Console) -> Outcome {
    look(configured)?.ask(&Command::UserLs {}, |account| {
        let text = |key: &str| account[key].as_str().unwrap_or_default().to_owned();
        let words = match account["usable"] == true {
            true => text("user"),
            false => format!("{} (for realm {}: needs a new password)", text("user"), text("realm")),
        };
        console.tell(words, || account);
    })?;
    Ok(Exit::Done)
}

fn show(Named { name, configured }: &Named, console: &Console) -> Outcome {
    look(configured)?.ask(&Command::UserShow { name: name.clone() }, |account| {
        let text = |key: &str| account[key].as_str().unwrap_or_default().to_owned();
        let mut words = format!(
            "user      {}\nrealm     {}\nkept in   the {}, as digest secrets",
            text("user"),
            text("realm"),
            text("from")
        );
        for line in forward::words(&account["forward"]) {
            words += &format!("\nforward   {line}");
        }
        if let Value::Object(limits) = &account["limits"] {
            let limits: Vec<String> = limits.iter().map(|(name, value)| format!("{name} {value}")).collect();
            words += &format!("\nlimits    {}", limits.join(", "));
        }
        console.tell(words, || account);
    })?;
    Ok(Exit::Done)
}

fn set_password(Secret { named, password_stdin }: &Secret, console: &Console, done: &str, put: Put) -> Outcome {
    let Named { name, configured } = named;
    if !valid_name(name) {
        return Err(store::StoreError::BadName(name.clone()).into());
    }
    let mut counter = configured.counter(if put == Put::Add { Missing::Make } else { Missing::Refuse })?;
    let typed = if *password_stdin { Some(from_stdin()?) } else { None };
    let generated = match &typed {
        Some(_) => None,
        None => Some(secrets::password(&mut net::system_rng())),
    };
    let password = typed.as_deref().or(generated.as_deref()).unwrap_or_default();
    let realm = counter.ours()?.realm;
    let secrets = Secrets::of(&sip_auth::Secrets::new(name, &realm, password));
    let account = Account { name: name.clone(), realm, secrets };
    counter.ask(&Command::UserPut { accounts: vec![account], put }, drop)?;
    let rest = counter.place();
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
