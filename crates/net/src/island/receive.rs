use super::address::{Control, Name, destination};
use super::{BATCH, check, set_option};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Bytes that one datagram may have: the largest that UDP can carry fits (RFC 3261 section 18.1.1 demands it), so none is ever cut.
const SLOT_BYTES: usize = 65_536;

/// From one slot to the next. A bit more than a slot, so that the beginnings of slots do not all fall into the same few cache sets.
const STRIDE: usize = SLOT_BYTES + 17 * 64;

/// Where the kernel puts a batch of datagrams. 4 MiB of address space, of which only what datagrams touched becomes memory.
pub(crate) struct Arena {
    bytes: Box<[u8]>,
    names: Box<[Name; BATCH]>,
    controls: Box<[Control; BATCH]>,
}

/// One datagram, still in the arena.
pub(crate) struct Received<'a> {
    pub(crate) remote: SocketAddr,
    /// The address it was sent to and the interface of a link-local one; `None` if the socket does not report it.
    pub(crate) destination: Option<(IpAddr, u32)>,
    pub(crate) bytes: &'a [u8],
}

impl Arena {
    pub(crate) fn new() -> Arena {
        Arena {
            bytes: vec![0; STRIDE * BATCH].into_boxed_slice(),
            names: Box::new([Name::zeroed(); BATCH]),
            controls: Box::new([Control::zeroed(); BATCH]),
        }
    }

    /// One `recvmmsg` without waiting: hands each datagram to `each` and tells how many there were (0: none is waiting).
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>, mut each: impl FnMut(Received<'_>)) -> io::Result<usize> {
        // SAFETY: plain C structs of integers and pointers, for which zeroes are a value.
        let (mut parts, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) = unsafe { std::mem::zeroed() };
        for (i, slot) in self.bytes.chunks_exact_mut(STRIDE).enumerate() {
            parts[i] = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: SLOT_BYTES };
            let header = &mut headers[i].msg_hdr;
            header.msg_name = (&raw mut self.names[i]).cast();
            header.msg_namelen = Name::BYTES;
            header.msg_iov = &raw mut parts[i];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[i].as_mut_ptr();
            header.msg_controllen = Control::BYTES;
        }
        // SAFETY: each header points at a slot, a name and a control buffer of its own, all owned by `self` or this frame, which
        // outlive the call; the lengths are theirs. A null timeout is allowed, and not used with MSG_DONTWAIT.
        let result = check(unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        });
        let count = match result {
            Ok(count) => count as usize,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        };
        for (i, header) in headers[..count].iter().enumerate() {
            let Some(remote) = self.names[i].get() else { continue };
            // SAFETY: recvmmsg has filled this header, and its control buffer is in `self.controls`.
            let destination = unsafe { destination(&header.msg_hdr) };
            let start = i * STRIDE;
            each(Received {
                remote,
                destination,
                bytes: &self.bytes[start..start + (header.msg_len as usize).min(SLOT_BYTES)],
            });
        }
        Ok(count)
    }
}

/// Makes `socket` tell with every datagram which of our addresses it was sent to.
pub(crate) fn report_local_address(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO)
    }
}
