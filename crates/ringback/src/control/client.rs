use super::Command;
use super::protocol::{Line, VERSION, mismatch};
use crate::exit::{Exit, Failure};
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an answer may be on its way: a disk may be slow.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// The exchange that runs, at the other end of its socket.
pub(crate) struct Client {
    lines: io::Lines<BufReader<UnixStream>>,
    stream: UnixStream,
    version: String,
}

impl Client {
    /// Finds the exchange; `None` when nobody listens at that socket.
    pub(crate) fn connect(socket: &Path) -> Result<Option<Client>, Failure> {
        let Ok(stream) = UnixStream::connect(socket) else { return Ok(None) };
        let reader = stream.try_clone().and_then(|reader| {
            stream.set_write_timeout(Some(ANSWER_TIME_MAX))?;
            reader.set_read_timeout(Some(ANSWER_TIME_MAX))?;
            Ok(BufReader::new(reader))
        });
        let reader = reader.map_err(|error| Failure::negative(format!("the exchange cannot be asked: {error}")))?;
        let mut client = Client { lines: reader.lines(), stream, version: String::new() };
        match client.read()? {
            Line::Ringback(version) => client.version = version,
            _ => return Err(client.misunderstood("it does not say who it is")),
        }
        Ok(Some(client))
    }

    /// Gives a command, and `each` what it gives.
    pub(crate) fn ask(&mut self, command: &Command, mut each: impl FnMut(Value)) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(command).map_err(Failure::usage)?;
        text.push(b'\n');
        // Where the exchange has no time for us it has said so, and closed: that is in the next line.
        let written = self.stream.write_all(&text);
        loop {
            match self.read() {
                Ok(Line::Value(value)) => each(value),
                Ok(Line::Done(())) => return Ok(()),
                Ok(Line::Error { what, exit }) => {
                    let exit = if exit == 2 { Exit::Usage } else { Exit::Negative };
                    return Err(Failure { exit, text: what + &mismatch(&self.version) });
                }
                Ok(Line::Ringback(_)) => return Err(self.misunderstood("it greets twice")),
                Err(failure) => {
                    return Err(match written {
                        Ok(()) => failure,
                        Err(error) => Failure::negative(format!("the exchange cannot be asked: {error}")),
                    });
                }
            }
        }
    }

    fn read(&mut self) -> Result<Line, Failure> {
        let Some(line) = self.lines.next() else { return Err(self.misunderstood("it says nothing more")) };
        let line = line.map_err(|error| Failure::negative(format!("the exchange does not answer: {error}")))?;
        serde_json::from_str(&line).map_err(|error| self.misunderstood(&error.to_string()))
    }

    fn misunderstood(&self, why: &str) -> Failure {
        let versions = match self.version.is_empty() {
            true => format!("\nit may be another version than this command, which is ringback {VERSION}"),
            false => mismatch(&self.version),
        };
        Failure::negative(format!("the exchange cannot be understood: {why}{versions}"))
    }
}
