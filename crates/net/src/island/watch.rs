use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::io::{Interest, Ready};

/// Tells a task when a descriptor becomes readable, or has errors.
///
/// Not when it becomes writable: the kernel would wake us for every datagram that it has sent.
#[derive(Debug, Clone)]
pub(crate) struct Watch(Rc<AsyncFd<OwnedFd>>);

impl Watch {
    /// Watches `watched`, through a duplicate of its descriptor. Only within a runtime.
    pub(crate) fn new(watched: impl AsFd) -> io::Result<Watch> {
        let duplicate = watched.as_fd().try_clone_to_owned()?;
        // SAFETY: `OwnedFd` keeps one descriptor open until it is dropped, and nothing of `Watch` gives it out to be replaced.
        Ok(Watch(Rc::new(unsafe { AsyncFd::register_with_interest(duplicate, Interest::READABLE | Interest::ERROR) }?)))
    }

    pub(crate) fn poll_readable<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, OwnedFd>>> {
        self.0.poll_read_ready(cx)
    }

    /// A future that ends when the kernel has errors for the descriptor, and gives them, as `take` takes them: at most `max`. Those that are
    /// left make the next one end at once.
    pub(crate) fn errors<T>(
        &self,
        max: usize,
        take: impl Fn(BorrowedFd<'_>) -> io::Result<Option<T>> + 'static,
    ) -> impl Future<Output = Vec<T>> + 'static {
        let watched = self.0.clone();
        async move {
            let mut taken = Vec::new();
            let Ok(mut guard) = watched.ready(Interest::ERROR).await else { return taken };
            while taken.len() < max {
                match take(guard.get_inner().as_fd()) {
                    Ok(Some(error)) => taken.push(error),
                    Ok(None) | Err(_) => {
                        guard.clear_ready_matching(Ready::ERROR);
                        break;
                    }
                }
            }
            taken
        }
    }
}
