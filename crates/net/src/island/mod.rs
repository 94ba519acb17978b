//! The socket island: the only `unsafe` code of Ringback, and all of it is Linux system calls that `std` does not wrap.
//!
//! Nothing in here decides anything. Each function makes one system call on a borrowed descriptor, and every pointer it hands to
//! the kernel is made from a reference that lives across the call; no pointer is kept.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

mod address;
mod alarm;
mod descriptors;
mod pause;
mod queue;
mod receive;
mod send;
mod unreachable;
mod watch;

pub(crate) use alarm::Alarm;
pub(crate) use descriptors::raise_descriptor_limit;
pub use pause::thread_cpu_time;
pub(crate) use pause::{pause, precise_pauses, wait_readable};
pub(crate) use queue::{force_receive_room, receive_queue};
pub(crate) use receive::{Arena, join_received, report_local_address};
#[cfg(test)]
pub(crate) use send::refuse_segments;
pub(crate) use send::{SendSlot, cuts_segments, is_no_checksum, send_batch};
pub(crate) use unreachable::{Unreachable, report_unreachable, take_unreachable};
pub(crate) use watch::Watch;

/// Messages per system call, in both directions.
pub const BATCH: usize = 64;

/// The outcome of a system call that returns -1 for an error.
fn check(result: libc::c_int) -> std::io::Result<libc::c_int> {
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(result) }
}

/// Switches on an option that is a boolean.
fn set_option(socket: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int) -> std::io::Result<()> {
    set_option_to(socket, level, option, true)
}

/// Switches an option on or off that is a boolean.
fn set_option_to(socket: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int, on: bool) -> std::io::Result<()> {
    let on = libc::c_int::from(on);
    // SAFETY: the value is a c_int that lives across the call, and its size is given.
    check(unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const on).cast(), size_of_val(&on) as libc::socklen_t)
    })?;
    Ok(())
}
