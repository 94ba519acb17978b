use super::Command;
use super::protocol::{COMMAND_BYTES_MAX, Line, PATIENCE, VERSION};
use crate::desk::{Desk, Values};
use crate::exit::Failure;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections at a time; the next one is told so, and closed.
pub(crate) const CONNECTIONS_MAX: usize = 16;

/// The exchange's end.
pub(crate) struct Listener {
    listener: tokio::net::UnixListener,
    free: Arc<Semaphore>,
}

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
        Ok(Listener { listener, free: Arc::new(Semaphore::new(CONNECTIONS_MAX)) })
    }
}

/// Waits for somebody with commands, and sees to them beside everything else. Without a listener it waits for ever.
pub(crate) async fn serve_one(listener: Option<&Listener>, desk: &Desk) {
    let Some(Listener { listener, free }) = listener else { return std::future::pending().await };
    let Ok((stream, _)) = listener.accept().await else {
        // Out of file descriptors, perhaps: not again at once.
        return tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let Ok(place) = free.clone().try_acquire_owned() else {
        let busy = Failure::negative(format!("{CONNECTIONS_MAX} commands are under way already: try again"));
        tokio::spawn(async move { Conversation::new(stream).greet(Some(busy)).await });
        return;
    };
    let desk = desk.clone();
    tokio::spawn(async move {
        // Who goes away in the middle has heard enough.
        let _ = Conversation::new(stream).hold(&desk).await;
        drop(place);
    });
}

/// A connection.
struct Conversation {
    commands: BufReader<OwnedReadHalf>,
    answers: BufWriter<OwnedWriteHalf>,
}

impl Conversation {
    fn new(stream: UnixStream) -> Conversation {
        let (commands, answers) = stream.into_split();
        Conversation { commands: BufReader::new(commands), answers: BufWriter::new(answers) }
    }

    async fn hold(mut self, desk: &Desk) -> io::Result<()> {
        self.greet(None).await?;
        while let Some(line) = self.next().await? {
            if line.len() > COMMAND_BYTES_MAX {
                let long = Failure::usage(format!("a command has more than {COMMAND_BYTES_MAX} bytes"));
                self.write(&Line::error(long)).await?;
                return self.flush().await;
            }
            match self.obey(desk, &line).await {
                Ok(values) => {
                    for value in values {
                        self.write(&Line::Value(value)).await?;
                    }
                    self.write(&Line::Done(())).await?;
                }
                Err(failure) => self.write(&Line::error(failure)).await?,
            }
            self.flush().await?;
        }
        Ok(())
    }

    /// Says who we are, and why that is all.
    async fn greet(&mut self, refusal: Option<Failure>) -> io::Result<()> {
        self.write(&Line::Ringback(VERSION.to_owned())).await?;
        if let Some(failure) = refusal {
            self.write(&Line::error(failure)).await?;
        }
        self.flush().await
    }

    /// The next command, with one byte more than is allowed at most; `None` when there is none.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.commands).take(COMMAND_BYTES_MAX as u64 + 1);
        let read = timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await??;
        Ok((read > 0).then_some(line))
    }

    async fn obey(&self, desk: &Desk, line: &[u8]) -> Result<Values, Failure> {
        let command: Command = serde_json::from_slice(line)
            .map_err(|error| Failure::usage(format!("the exchange does not understand this command: {error}")))?;
        desk.answer(command).await
    }

    async fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        timeout(PATIENCE, self.answers.write_all(&text)).await?
    }

    async fn flush(&mut self) -> io::Result<()> {
        timeout(PATIENCE, self.answers.flush()).await?
    }
}
