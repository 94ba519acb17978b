use super::check;
use super::pause::timespec;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// A timer that becomes readable when it goes off, to the microsecond (`timerfd`): the runtime's own timers are a millisecond coarse.
#[derive(Debug)]
pub(crate) struct Alarm(OwnedFd);

impl Alarm {
    /// An alarm that is not set.
    pub(crate) fn new() -> io::Result<Alarm> {
        // SAFETY: takes two integers; the descriptor it returns is new, and from here on owned by `OwnedFd` alone.
        unsafe {
            let fd = check(libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC))?;
            Ok(Alarm(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Lets it go off `after` from now (at once if that is zero), instead of what was set before.
    pub(crate) fn set(&self, after: Duration) -> io::Result<()> {
        // All zeroes would switch it off.
        let value = timespec(after.max(Duration::from_nanos(1)));
        let setting = libc::itimerspec { it_interval: timespec(Duration::ZERO), it_value: value };
        // SAFETY: the setting lives across the call; the old one is not asked for.
        check(unsafe { libc::timerfd_settime(self.0.as_raw_fd(), 0, &raw const setting, std::ptr::null_mut()) })?;
        Ok(())
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
