//! The control socket in the data folder (mode 0600): one line of words in, lines of JSON out, then the end.

use crate::exchange::{Exchange, World};
use crate::exit::Failure;
use engine::Now;
use serde_json::{Value, json};
use std::fs::Permissions;
use std::io::{self, BufRead, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use store::DataFolder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes of a command: the longest address-of-record and the longest contact fit.
const COMMAND_BYTES_MAX: usize = 1024;
/// What the other end has to send its command, or to take the next part of the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says all bindings.
pub(crate) const REG_LS: &str = "reg ls";
/// Removes bindings: behind it an address-of-record and perhaps a contact.
pub(crate) const REG_RM: &str = "reg rm";
/// Asks whether the account of the name behind it is in the configuration.
pub(crate) const USER_CONFIGURED: &str = "user configured";
/// Reads changed accounts now.
pub(crate) const USER_REFRESH: &str = "user refresh";

/// The exchange's end.
pub(crate) struct Listener(tokio::net::UnixListener);

impl Listener {
    /// Opens the socket, in the place of one that an exchange which was killed has left. The caller holds the folder's lock.
    pub(crate) fn open(path: &Path) -> io::Result<Listener> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // The folder keeps everybody else out in the moment between these two.
        let listener = tokio::net::UnixListener::bind(path)?;
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
        Ok(Listener(listener))
    }
}

/// Waits for somebody with a command, and sees to it beside everything else. Without a listener it waits for ever.
pub(crate) async fn serve_one(listener: Option<&Listener>, exchange: &Exchange) {
    let Some(Listener(listener)) = listener else { return std::future::pending().await };
    if let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, exchange.world.clone()));
    } else {
        // Out of file descriptors, perhaps: not again at once.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn converse(mut stream: tokio::net::UnixStream, world: World) {
    let mut command = Vec::new();
    while !command.ends_with(b"\n") && command.len() < COMMAND_BYTES_MAX {
        match tokio::time::timeout(PATIENCE, stream.read_buf(&mut command)).await {
            Ok(Ok(read)) if read > 0 => {}
            _ => return,
        }
    }
    for line in answer(String::from_utf8_lossy(&command).trim(), &world) {
        let line = format!("{line}\n");
        match tokio::time::timeout(PATIENCE, stream.write_all(line.as_bytes())).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}

fn answer(command: &str, world: &World) -> Vec<Value> {
    let now = Now::read_clocks();
    match command {
        REG_LS => world.bindings.all(now).iter().map(|(aor, binding)| described(now, aor.as_str(), binding)).collect(),
        USER_REFRESH => {
            let outcome = world.refresh_accounts();
            vec![json!({"refreshed": outcome.is_ok()})]
        }
        _ => {
            let behind = |word: &str| command.strip_prefix(word).map(str::trim).filter(|rest| !rest.is_empty());
            if let Some(whose) = behind(REG_RM) {
                let (aor, contact) = whose.split_once(' ').map_or((whose, None), |(aor, contact)| (aor, Some(contact)));
                vec![json!({"removed": world.bindings.remove(now, aor, contact)})]
            } else if let Some(name) = behind(USER_CONFIGURED) {
                vec![json!({"configured": world.is_configured(name)})]
            } else {
                vec![json!({"error": "unknown command"})]
            }
        }
    }
}

fn described(now: Now, aor: &str, binding: &sip_registrar::Binding) -> Value {
    let flow = binding.flow();
    let mut value = json!({
        "aor": aor,
        "contact": binding.contact(),
        "transport": flow.transport.as_str().to_lowercase(),
        "received_from": flow.remote.to_string(),
        "expires_in_s": binding.expires_in_s(now),
        "q": f64::from(binding.q()) / 1000.0,
        "user_agent": binding.user_agent(),
    });
    if !binding.path().is_empty() {
        value["path"] = json!(binding.path());
    }
    value
}

/// Asks the exchange that runs on a folder; `None` when none does.
pub(crate) fn ask(folder: &DataFolder, command: &str) -> Result<Option<Vec<Value>>, Failure> {
    let Ok(mut stream) = UnixStream::connect(folder.control_socket()) else { return Ok(None) };
    let failed = |error: io::Error| Failure::negative(format!("the exchange does not answer: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    writeln!(stream, "{command}").map_err(failed)?;
    let mut values = Vec::new();
    for line in io::BufReader::new(stream).lines() {
        let line = line.map_err(failed)?;
        values.push(serde_json::from_str(&line).map_err(|error| failed(io::Error::other(error)))?);
    }
    Ok(Some(values))
}
