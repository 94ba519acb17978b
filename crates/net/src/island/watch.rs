use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll};
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

/// Tells a task when a descriptor becomes readable or writable.
#[derive(Debug)]
pub(crate) struct Watch(AsyncFd<OwnedFd>);

impl Watch {
    /// Watches `watched`, through a duplicate of its descriptor. Only within a runtime.
    pub(crate) fn new(watched: impl AsFd) -> io::Result<Watch> {
        let duplicate = watched.as_fd().try_clone_to_owned()?;
        // SAFETY: `OwnedFd` keeps one descriptor open until it is dropped, and nothing of `Watch` gives it out to be replaced.
        Ok(Watch(unsafe { AsyncFd::register(duplicate) }?))
    }

    pub(crate) fn poll_readable<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, OwnedFd>>> {
        self.0.poll_read_ready(cx)
    }

    pub(crate) fn poll_writable<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, OwnedFd>>> {
        self.0.poll_write_ready(cx)
    }
}
