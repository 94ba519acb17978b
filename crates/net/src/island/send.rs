use super::address::{Control, Name};
use super::{BATCH, check};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Datagrams that the kernel cuts out of one message (`UDP_MAX_SEGMENTS` of older kernels).
const SEGMENTS_MAX: usize = 64;

/// The longest datagram that the kernel is asked to cut: what fits into a packet of 1,500 bytes, options of IPv6 left out. It refuses to
/// make fragments of what it has cut.
const SEGMENT_BYTES_MAX: usize = 1452;

/// Bytes of one message that the kernel is to cut: what is left in the largest packet after the longer header.
const SEGMENTED_BYTES_MAX: usize = 65_535 - 48;

/// One datagram to send; its bytes stay where they are.
#[derive(Clone, Copy)]
pub(crate) struct SendSlot<'a> {
    /// The source address to send from, where the socket does not already say it.
    pub(crate) source: Option<SocketAddr>,
    pub(crate) remote: SocketAddr,
    pub(crate) bytes: &'a [u8],
    /// Whether it may leave in one message with its neighbours, if that is allowed at all.
    pub(crate) joins: bool,
}

/// Datagrams that make one message.
#[derive(Clone, Copy)]
struct Run {
    datagrams: usize,
    /// Of each but the last.
    each: usize,
    total: usize,
    joins: bool,
}

impl Run {
    fn of(first: &SendSlot<'_>) -> Run {
        let each = first.bytes.len();
        Run { datagrams: 1, each, total: each, joins: first.joins && (1..=SEGMENT_BYTES_MAX).contains(&each) }
    }

    /// Takes `next` in if it can be part of the message.
    fn take(&mut self, next: &SendSlot<'_>) -> bool {
        let bytes = next.bytes.len();
        let fits = self.joins
            && next.joins
            && (1..=self.each).contains(&bytes)
            && self.datagrams < SEGMENTS_MAX
            && self.total + bytes <= SEGMENTED_BYTES_MAX;
        if fits {
            self.datagrams += 1;
            self.total += bytes;
            self.joins = bytes == self.each; // a shorter one is the last
        }
        fits
    }
}

/// One `sendmmsg` without waiting, of at most [`BATCH`] datagrams: how many went out. An error is that of the first message; an error
/// of a later one ends the count before it, and comes back when the rest is sent.
///
/// Where `join` allows it, neighbours to the same address from the same one that have the same length are one message to the kernel, which
/// cuts it (`UDP_SEGMENT`): on the wire they are datagrams like others.
pub(crate) fn send_batch<'a>(
    socket: BorrowedFd<'_>,
    datagrams: impl Iterator<Item = SendSlot<'a>>,
    join: bool,
) -> io::Result<usize> {
    // SAFETY: plain C structs of integers and pointers, for which zeroes are a value.
    let (mut parts, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) = unsafe { std::mem::zeroed() };
    let mut names = [Name::zeroed(); BATCH];
    let mut controls = [Control::zeroed(); BATCH];
    let mut runs: [Option<(Run, SendSlot<'a>)>; BATCH] = [None; BATCH];
    let mut count = 0_usize;
    for (part, datagram) in parts.iter_mut().zip(datagrams) {
        // The kernel only reads what `iov_base` points at; its type is shared with recvmsg.
        *part = libc::iovec { iov_base: datagram.bytes.as_ptr().cast_mut().cast(), iov_len: datagram.bytes.len() };
        if join
            && let Some((run, first)) = count.checked_sub(1).and_then(|last| runs[last].as_mut())
            && (first.remote, first.source) == (datagram.remote, datagram.source)
            && run.take(&datagram)
        {
            continue;
        }
        runs[count] = Some((Run::of(&datagram), datagram));
        count += 1;
    }
    if count == 0 {
        return Ok(0);
    }
    let mut first_part = 0;
    for (i, (run, first)) in runs[..count].iter().flatten().enumerate() {
        let header = &mut headers[i].msg_hdr;
        (names[i], header.msg_namelen) = Name::new(first.remote);
        header.msg_name = (&raw mut names[i]).cast();
        header.msg_iov = &raw mut parts[first_part];
        header.msg_iovlen = run.datagrams as _;
        first_part += run.datagrams;
        let mut used = 0;
        if let Some(source) = first.source {
            used = controls[i].add_source(used, source);
        }
        if run.datagrams > 1 {
            used = controls[i].add_segment(used, run.each as u16);
        }
        if used > 0 {
            header.msg_control = controls[i].as_mut_ptr();
            header.msg_controllen = used as _;
        }
    }
    // SAFETY: the first `count` headers point at names, control buffers and parts of this frame, and at bytes borrowed for 'a, all of
    // which outlive the call; the lengths are theirs.
    let sent = check(unsafe {
        // Not through the function of that name: musl's makes a system call for each message. (Its types are narrower than the kernel's,
        // with padding behind them, which is zero here.)
        libc::syscall(
            libc::SYS_sendmmsg,
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            count as libc::c_uint,
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        ) as libc::c_int
    })?;
    Ok(runs[..sent as usize].iter().flatten().map(|(run, _)| run.datagrams).sum())
}

/// Whether this kernel cuts messages into datagrams (since Linux 4.18).
pub(crate) fn cuts_segments(socket: BorrowedFd<'_>) -> bool {
    let mut bytes: libc::c_int = 0;
    let mut length = size_of_val(&bytes) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to an integer of this frame that has as many.
    check(unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, (&raw mut bytes).cast(), &raw mut length)
    })
    .is_ok()
}

/// Whether this is what the kernel says where it cannot leave the checksums of the datagrams it cuts to the network card: on that way it
/// never will.
pub(crate) fn is_no_checksum(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EIO)
}

/// Makes the kernel refuse to cut what is sent, as it does on some ways.
#[cfg(test)]
pub(crate) fn refuse_segments(socket: BorrowedFd<'_>) -> io::Result<()> {
    super::set_option(socket, libc::SOL_SOCKET, libc::SO_NO_CHECK)
}
