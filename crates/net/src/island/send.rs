use super::address::{Control, Name};
use super::{BATCH, check};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// One datagram to send; its bytes stay where they are.
#[derive(Clone, Copy)]
pub(crate) struct SendSlot<'a> {
    /// The source address to send from, where the socket does not already say it.
    pub(crate) source: Option<SocketAddr>,
    pub(crate) remote: SocketAddr,
    pub(crate) bytes: &'a [u8],
}

/// One `sendmmsg` without waiting, of at most [`BATCH`] messages: how many went out. An error is that of the first message; an error
/// of a later one ends the count before it, and comes back when the rest is sent.
pub(crate) fn send_batch<'a>(
    socket: BorrowedFd<'_>,
    messages: impl Iterator<Item = SendSlot<'a>>,
) -> io::Result<usize> {
    // SAFETY: plain C structs of integers and pointers, for which zeroes are a value.
    let (mut parts, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) = unsafe { std::mem::zeroed() };
    let mut names = [Name::zeroed(); BATCH];
    let mut controls = [Control::zeroed(); BATCH];
    let mut count = 0;
    for (i, message) in messages.take(BATCH).enumerate() {
        let header = &mut headers[i].msg_hdr;
        (names[i], header.msg_namelen) = Name::new(message.remote);
        header.msg_name = (&raw mut names[i]).cast();
        // The kernel only reads what `iov_base` points at; its type is shared with recvmsg.
        parts[i] = libc::iovec { iov_base: message.bytes.as_ptr().cast_mut().cast(), iov_len: message.bytes.len() };
        header.msg_iov = &raw mut parts[i];
        header.msg_iovlen = 1;
        if let Some(source) = message.source {
            (controls[i], header.msg_controllen) = Control::source(source);
            header.msg_control = controls[i].as_mut_ptr();
        }
        count = i + 1;
    }
    if count == 0 {
        return Ok(0);
    }
    // SAFETY: the first `count` headers point at names, control buffers and parts of this frame, and at bytes borrowed for 'a, all of
    // which outlive the call; the lengths are theirs.
    let sent = check(unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            count as libc::c_uint,
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    })?;
    Ok(sent as usize)
}
