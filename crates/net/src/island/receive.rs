use super::address::{Control, Name, Told, told};
use super::{BATCH, check, set_option, set_option_to};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Bytes that one datagram may have: the largest that UDP can carry fits (RFC 3261 section 18.1.1 demands it), so none is ever cut.
const SLOT_BYTES: usize = 65_536;

/// From one slot to the next. A bit more than a slot, so that the beginnings of slots do not all fall into the same few cache sets.
const STRIDE: usize = SLOT_BYTES + 17 * 64;

/// Slots offered while several datagrams come in each: 64 at most, which makes 512 in one call.
const JOINED_SLOTS: usize = 8;

/// Where the kernel puts a batch of datagrams. 4 MiB of address space, of which only what datagrams touched becomes memory.
pub(crate) struct Arena {
    bytes: Box<[u8]>,
    names: Box<[Name; BATCH]>,
    controls: Box<[Control; BATCH]>,
    /// Whether several datagrams came in one slot lately.
    joined: bool,
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
            joined: false,
        }
    }

    /// One `recvmmsg` without waiting: hands each datagram to `each`, and tells whether there may be more.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>, mut each: impl FnMut(Received<'_>)) -> io::Result<bool> {
        let slots = if self.joined { JOINED_SLOTS } else { BATCH };
        // SAFETY: plain C structs of integers and pointers, for which zeroes are a value.
        let (mut parts, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) = unsafe { std::mem::zeroed() };
        for (i, slot) in self.bytes.chunks_exact_mut(STRIDE).enumerate().take(slots) {
            parts[i] = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: SLOT_BYTES };
            let header = &mut headers[i].msg_hdr;
            header.msg_name = (&raw mut self.names[i]).cast();
            header.msg_namelen = Name::BYTES;
            header.msg_iov = &raw mut parts[i];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[i].as_mut_ptr();
            header.msg_controllen = Control::BYTES as _;
        }
        // SAFETY: each header points at a slot, a name and a control buffer of its own, all owned by `self` or this frame, which
        // outlive the call; the lengths are theirs. A null timeout is allowed, and not used with MSG_DONTWAIT.
        let result = check(unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                slots as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        });
        let count = match result {
            Ok(count) => count as usize,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        self.joined = false;
        for (i, header) in headers[..count].iter().enumerate() {
            let Some(remote) = self.names[i].get() else { continue };
            // SAFETY: recvmmsg has filled this header, and its control buffer is in `self.controls`.
            let Told { destination, segment } = unsafe { told(&header.msg_hdr) };
            let start = i * STRIDE;
            let bytes = &self.bytes[start..start + (header.msg_len as usize).min(SLOT_BYTES)];
            match segment.filter(|segment| *segment < bytes.len()) {
                None => each(Received { remote, destination, bytes }),
                Some(segment) => {
                    self.joined = true;
                    bytes.chunks(segment).for_each(|bytes| each(Received { remote, destination, bytes }));
                }
            }
        }
        Ok(count == slots)
    }
}

/// Lets the kernel hand over datagrams of one sender that have the same length in one piece (`UDP_GRO`), as they come out of one
/// system call of a sender on this machine or out of one interrupt of a network card: it spares most of what receiving costs.
pub(crate) fn join_received(socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    set_option_to(socket, libc::SOL_UDP, libc::UDP_GRO, on)
}

/// Makes `socket` tell with every datagram which of our addresses it was sent to.
pub(crate) fn report_local_address(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO)
    }
}
