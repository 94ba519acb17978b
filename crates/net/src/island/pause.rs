use super::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Lets this thread's sleeps end within a few microseconds of their time instead of 50 (`PR_SET_TIMERSLACK`).
pub(crate) fn precise_pauses() {
    // SAFETY: PR_SET_TIMERSLACK takes one integer and touches no memory. It cannot fail with a positive value.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong) };
}

/// Blocks the thread for `length`, or less if a signal comes.
pub(crate) fn pause(length: Duration) {
    let length = timespec(length);
    // SAFETY: the request lives across the call; the remainder is not asked for.
    unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &raw const length, std::ptr::null_mut()) };
}

/// The processor time this thread has used so far.
pub fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux, and the result is written to a timespec of this frame.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

pub(super) fn timespec(length: Duration) -> libc::timespec {
    libc::timespec { tv_sec: length.as_secs() as _, tv_nsec: libc::c_long::from(length.subsec_nanos() as i32) }
}

/// Blocks the thread until `socket` is readable or `length` has passed; tells whether it is.
pub(crate) fn wait_readable(socket: BorrowedFd<'_>, length: Duration) -> io::Result<bool> {
    let length = timespec(length);
    let mut wanted = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd and one timespec of this frame, which outlive the call; the signal mask is left as it is.
    match check(unsafe { libc::ppoll(&raw mut wanted, 1, &raw const length, std::ptr::null()) }) {
        Ok(ready) => Ok(ready > 0),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}
