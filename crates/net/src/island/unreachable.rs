use super::address::{Control, Name};
use super::{check, set_option};
use std::io;
use std::mem::size_of;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Bytes of a datagram of ours that an ICMP error quotes, at most: Linux quotes 576 in all, others down to 8 of UDP's header.
const QUOTED_BYTES_MAX: usize = 600;

/// A datagram of ours that did not arrive, as an ICMP error tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreachable {
    /// Where it was sent to.
    pub(crate) remote: SocketAddr,
    /// How it begins, as far as it was quoted.
    pub(crate) quoted: Vec<u8>,
}

/// Makes the kernel keep ICMP errors about datagrams sent from `socket` (`IP_RECVERR`), for [`take_unreachable`].
pub(crate) fn report_unreachable(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_RECVERR)
    }
}

/// Takes the next error out of the socket's queue: `None` when it is empty, `Some(None)` for one that does not say that a host, network,
/// port or protocol cannot be reached (RFC 3261 section 18.4).
pub(crate) fn take_unreachable(socket: BorrowedFd<'_>) -> io::Result<Option<Option<Unreachable>>> {
    let mut quoted = vec![0; QUOTED_BYTES_MAX];
    let mut name = Name::zeroed();
    let mut controls = [Control::zeroed(); 4]; // one sock_extended_err with an address after it, and packet information
    let mut part = libc::iovec { iov_base: quoted.as_mut_ptr().cast(), iov_len: QUOTED_BYTES_MAX };
    // SAFETY: a plain C struct of integers and pointers, for which zeroes are a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = (&raw mut name).cast();
    message.msg_namelen = Name::BYTES;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = controls.as_mut_ptr().cast();
    message.msg_controllen = size_of::<[Control; 4]>() as _;
    // SAFETY: the message points at a name, a part and control buffers of this frame and at `quoted`, all of which outlive the call; the
    // lengths are theirs.
    let result = check(unsafe {
        libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT) as libc::c_int
    });
    match result {
        Ok(count) => quoted.truncate(count as usize),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    }
    // SAFETY: recvmsg has filled the message, and its control buffers are still alive.
    let unreachable = unsafe { is_unreachable(&message) };
    Ok(Some(name.get().filter(|_| unreachable).map(|remote| Unreachable { remote, quoted })))
}

/// Whether the error in the control messages is an ICMP "unreachable".
///
/// # Safety
/// `message` must have been filled by a system call that succeeded, and its control buffer must still be alive.
unsafe fn is_unreachable(message: &libc::msghdr) -> bool {
    // SAFETY: the caller's promise; the CMSG macros stay within `msg_controllen`, and data is read unaligned.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if let (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) =
                ((*header).cmsg_level, (*header).cmsg_type)
            {
                let error = libc::CMSG_DATA(header).cast::<libc::sock_extended_err>().read_unaligned();
                let by_icmp = matches!(error.ee_origin, libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6);
                return by_icmp
                    && matches!(
                        error.ee_errno as libc::c_int,
                        libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENOPROTOOPT | libc::EACCES
                    );
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
        false
    }
}
