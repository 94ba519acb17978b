use crate::island::{
    Arena, SendSlot, cuts_segments, force_receive_room, is_no_checksum, join_received, receive_queue,
    report_local_address, report_unreachable, send_batch, wait_readable,
};
use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Datagrams that may wait in one socket's queue for the kernel to take them; what comes after is dropped and counted.
pub const SEND_QUEUE_MAX: usize = 8192;

/// What we ask the kernel to buffer in each direction. It gives what `net.core.[rw]mem_max` allows.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// A received datagram in a buffer of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// The address of ours that it was sent to (never a wildcard), with the socket's port.
    pub local: SocketAddr,
    /// Who sent it.
    pub remote: SocketAddr,
    /// What it says, at its exact size.
    pub bytes: Bytes,
}

/// Where datagrams land before they are copied out. One serves all sockets of a thread.
pub struct ReceiveArena(Arena);

impl Default for ReceiveArena {
    fn default() -> Self {
        ReceiveArena(Arena::new())
    }
}

/// A non-blocking UDP socket that is read and written in batches of [`crate::BATCH`].
///
/// `T` marks datagrams whose failure someone wants to hear of.
#[derive(Debug)]
pub struct UdpBatch<T = ()> {
    socket: Socket,
    local: SocketAddr,
    queue: VecDeque<Outgoing<T>>,
    /// Whether neighbours of the same length to the same address leave as one message.
    joins: bool,
}

#[derive(Debug)]
struct Outgoing<T> {
    local: SocketAddr,
    remote: SocketAddr,
    bytes: Bytes,
    tag: Option<T>,
}

/// What one batch brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// How many datagrams: 0 when none was waiting, and up to 64 in each place of the batch where one sender had sent them together.
    pub datagrams: usize,
    /// Whether more may be waiting: the batch was full.
    pub more: bool,
}

/// What became of a queue that was flushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Datagrams that the kernel took.
    pub sent: usize,
    /// Datagrams that it refused for good.
    pub refused: usize,
}

impl<T> UdpBatch<T> {
    /// Binds `address`. An IPv6 wildcard does not take IPv4's port, too. With `share_port` other sockets of ours may bind the same
    /// address, and the kernel spreads the senders over them.
    pub fn bind(address: SocketAddr, share_port: bool) -> io::Result<UdpBatch<T>> {
        let socket =
            Socket::new(Domain::for_address(address), Type::DGRAM.cloexec().nonblocking(), Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_port(share_port)?;
        // Larger buffers are a wish; less is no error. What comes while a turn lasts must fit, a flood included.
        if force_receive_room(socket.as_fd(), SOCKET_BUFFER_BYTES).is_err() {
            let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
        }
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
        if address.ip().is_unspecified() {
            report_local_address(socket.as_fd(), address.is_ipv6())?;
        }
        socket.bind(&address.into())?;
        let local = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        // An older kernel brings each datagram by itself.
        let _ = join_received(socket.as_fd(), true);
        let joins = cuts_segments(socket.as_fd());
        Ok(UdpBatch { socket, local, queue: VecDeque::new(), joins })
    }

    /// Has the kernel handle each datagram by itself from now on, in both directions, as an older one does anyway. For measurements
    /// and tests.
    pub fn part(&mut self) {
        self.joins = false;
        let _ = join_received(self.socket.as_fd(), false);
    }

    /// Keeps ICMP errors about what was sent, for the driver that reads them. Without this they are nobody's business: an
    /// unconnected socket of UDP does not notice them.
    pub(crate) fn keep_unreachable(&self) -> io::Result<()> {
        report_unreachable(self.socket.as_fd(), self.local.is_ipv6())
    }

    /// The address it is bound to: a wildcard, where it was bound to that.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// Whether datagrams from `local` leave through this socket.
    pub fn is_source(&self, local: SocketAddr) -> bool {
        self.local.port() == local.port()
            && self.local.is_ipv4() == local.is_ipv4()
            && (self.local.ip().is_unspecified() || self.local.ip() == local.ip())
    }

    /// Receives one batch without waiting, and tells what it was.
    pub fn receive(&self, arena: &mut ReceiveArena, each: &mut impl FnMut(Datagram)) -> io::Result<Received> {
        self.receive_from(arena, &mut |_| true, each)
    }

    /// The same of those senders only whom `admits` lets in: what others have sent is counted, but not even copied.
    pub(crate) fn receive_from(
        &self,
        arena: &mut ReceiveArena,
        admits: &mut impl FnMut(SocketAddr) -> bool,
        each: &mut impl FnMut(Datagram),
    ) -> io::Result<Received> {
        let mut datagrams = 0;
        let more = arena.0.receive(self.socket.as_fd(), |received| {
            datagrams += 1;
            if !admits(received.remote) {
                return;
            }
            let local = match received.destination {
                Some((std::net::IpAddr::V6(ip), scope)) => SocketAddrV6::new(ip, self.local.port(), 0, scope).into(),
                Some((ip, _)) => SocketAddr::new(ip, self.local.port()),
                None => self.local,
            };
            each(Datagram { local, remote: received.remote, bytes: Bytes::copy_from_slice(received.bytes) });
        })?;
        Ok(Received { datagrams, more })
    }

    /// Blocks the thread until a datagram is waiting or `length` has passed; tells whether one is. For threads without a runtime.
    pub fn wait(&self, length: Duration) -> io::Result<bool> {
        wait_readable(self.socket.as_fd(), length)
    }

    /// Queues a datagram to `remote` that [`UdpBatch::flush`] sends, from `local`'s address when the socket is bound to a wildcard.
    /// `Err` gives the mark back when [`SEND_QUEUE_MAX`] already wait, and the datagram is dropped.
    pub fn queue(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: Bytes,
        tag: Option<T>,
    ) -> Result<(), Option<T>> {
        if self.queue.len() >= SEND_QUEUE_MAX {
            return Err(tag);
        }
        self.queue.push_back(Outgoing { local, remote, bytes, tag });
        Ok(())
    }

    /// Whether datagrams that were received, and not yet taken, fill half of the room that the kernel has for them.
    pub(crate) fn is_half_full(&self) -> bool {
        receive_queue(self.socket.as_fd()).is_ok_and(|(used, room)| used >= room / 2)
    }

    /// Datagrams in the queue.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Sends what the kernel takes now; the rest stays queued. A datagram that cannot be sent (no route, refused, too long) is
    /// passed over, and its mark, if it has one, is given to `failed`.
    pub fn flush(&mut self, mut failed: impl FnMut(T)) -> Flushed {
        let mut flushed = Flushed::default();
        let wildcard = self.local.ip().is_unspecified();
        let (mut first_failed, mut joins) = (false, self.joins);
        while !self.queue.is_empty() {
            let slots = self.queue.iter().map(|out| SendSlot {
                source: (wildcard && !out.local.ip().is_unspecified()).then_some(out.local),
                remote: out.remote,
                bytes: &out.bytes,
                // Of several that the kernel has cut out of one, it may tell of only one that it did not arrive.
                joins: out.tag.is_none(),
            });
            match send_batch(self.socket.as_fd(), slots, joins) {
                Ok(sent) => {
                    flushed.sent += sent;
                    (first_failed, joins) = (false, self.joins);
                    self.queue.drain(..sent);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => break,
                    io::ErrorKind::Interrupted => {}
                    // It may be the ICMP error that an earlier datagram earned, and that is taken by being reported; or the kernel
                    // does not cut messages on this way: what is longer than a packet there, or without the help of its network card.
                    _ if !first_failed => {
                        self.joins &= !is_no_checksum(&error);
                        (first_failed, joins) = (true, false);
                    }
                    _ => {
                        first_failed = false;
                        flushed.refused += 1;
                        if let Some(tag) = self.queue.pop_front().and_then(|out| out.tag) {
                            failed(tag);
                        }
                    }
                },
            }
        }
        flushed
    }
}

impl<T> AsFd for UdpBatch<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::island::refuse_segments;

    /// Receives until `wanted` datagrams are there; how many, and in how many places of batches at most.
    fn receive(socket: &UdpBatch, wanted: usize) -> usize {
        let (mut arena, mut got) = (ReceiveArena::default(), 0);
        while got < wanted && socket.wait(Duration::from_secs(10)).expect("poll") {
            got += socket.receive(&mut arena, &mut |_| ()).expect("receive").datagrams;
        }
        got
    }

    #[test]
    fn what_the_kernel_refuses_to_cut_leaves_one_by_one() {
        let bind = || UdpBatch::<()>::bind("127.0.0.1:0".parse().expect("an address"), false).expect("a free port");
        let (mut client, server) = (bind(), bind());
        refuse_segments(client.as_fd()).expect("an option");
        let run = (0..10).map(|_| SendSlot { source: None, remote: server.local, bytes: &[7; 400], joins: true });
        assert!(!client.joins || send_batch(client.as_fd(), run, true).is_err(), "the kernel was to refuse");
        for _ in 0..200 {
            client.queue(client.local, server.local, Bytes::from_static(&[7; 400]), None).expect("room");
        }
        assert_eq!(client.flush(|()| ()), Flushed { sent: 200, refused: 0 });
        assert_eq!(receive(&server, 200), 200);
    }

    #[test]
    fn equal_neighbours_are_one_message_to_the_kernel() {
        let mut client: UdpBatch = UdpBatch::bind("127.0.0.1:0".parse().expect("an address"), false).expect("a port");
        let server: UdpBatch = UdpBatch::bind("127.0.0.1:0".parse().expect("an address"), false).expect("a port");
        if !client.joins {
            return; // an older kernel
        }
        for _ in 0..64 {
            client.queue(client.local, server.local, Bytes::from_static(&[7; 400]), None).expect("room");
        }
        assert_eq!(client.flush(|()| ()), Flushed { sent: 64, refused: 0 });
        // They have come in one slot: a batch of 64 slots is far from full.
        let mut arena = ReceiveArena::default();
        assert!(server.wait(Duration::from_secs(10)).expect("poll"));
        let received = server.receive(&mut arena, &mut |_| ()).expect("receive");
        assert_eq!(received, Received { datagrams: 64, more: false });
    }
}
