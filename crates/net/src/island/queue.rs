use super::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What `SO_MEMINFO` reports, in this order (linux/sock_diag.h): SK_MEMINFO_RMEM_ALLOC, SK_MEMINFO_RCVBUF, and more.
const MEMINFO_VARS: usize = 9;

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
