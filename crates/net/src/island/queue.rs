use super::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What `SO_MEMINFO` reports, in this order (linux/sock_diag.h): SK_MEMINFO_RMEM_ALLOC, SK_MEMINFO_RCVBUF, and more.
const MEMINFO_VARS: usize = 9;

/// Makes room for so many bytes of received datagrams, whatever the system allows to others: this takes CAP_NET_ADMIN.
pub(crate) fn force_receive_room(socket: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    let length = size_of_val(&bytes) as libc::socklen_t;
    // SAFETY: the value is a c_int that lives across the call, and its size is given.
    check(unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, (&raw const bytes).cast(), length)
    })?;
    Ok(())
}

/// How full the kernel's queue of received datagrams is: bytes that it takes, and bytes that it may take.
pub(crate) fn receive_queue(socket: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    let mut info = [0_u32; MEMINFO_VARS];
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to an array of this frame that has as many.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    Ok((info[0], info[1]))
}
