use crate::Later;
use bytes::Bytes;
use engine::Rng;
use phone::{Input, MediaSocket};
use socket2::SockRef;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::rc::Rc;
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

/// Sockets for sound that one phone may have open; the next call gets none.
pub const MEDIA_SOCKETS_MAX: usize = 256;

/// The longest datagram of sound that is taken: nothing that fits an Ethernet frame is longer.
const DATAGRAM_BYTES_MAX: usize = 1500;

/// The open sockets for sound: for each a pair of ports, an even one for RTP and the next for RTCP (RFC 3550 section 11).
pub(super) struct MediaSockets {
    ports: RangeInclusive<u16>,
    rng: Rng,
    next: u32,
    open: HashMap<MediaSocket, Pair>,
}

struct Pair {
    rtp: Rc<UdpSocket>,
    readers: [AbortHandle; 2],
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.readers.iter().for_each(AbortHandle::abort);
    }
}

impl MediaSockets {
    pub(super) fn new(ports: RangeInclusive<u16>, rng: Rng) -> MediaSockets {
        MediaSockets { ports, rng, next: 0, open: HashMap::new() }
    }

    /// Opens a pair of ports at `local`, and lets all that comes to them go to the phone by `later`.
    pub(super) fn open(&mut self, local: IpAddr, later: &Later<Input>) -> io::Result<(MediaSocket, SocketAddr)> {
        if self.open.len() >= MEDIA_SOCKETS_MAX {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let (rtp, rtcp) = self.bind_pair(local)?;
        let address = rtp.local_addr()?;
        let number = MediaSocket(self.next);
        self.next = self.next.wrapping_add(1);
        let readers = [&rtp, &rtcp]
            .map(|socket| tokio::task::spawn_local(read(number, socket.clone(), later.clone())).abort_handle());
        self.open.insert(number, Pair { rtp, readers });
        Ok((number, address))
    }

    /// Sends at once, or not at all: sound that is late is of no use.
    pub(super) fn send(&self, socket: MediaSocket, to: SocketAddr, bytes: &[u8]) {
        if let Some(pair) = self.open.get(&socket) {
            let _ = SockRef::from(&*pair.rtp).send_to(bytes, &to.into());
        }
    }

    pub(super) fn close(&mut self, socket: MediaSocket) {
        self.open.remove(&socket);
    }

    /// Tries every even port of the range, from a random one on.
    fn bind_pair(&mut self, local: IpAddr) -> io::Result<(Rc<UdpSocket>, Rc<UdpSocket>)> {
        let first = u32::from(*self.ports.start()).next_multiple_of(2);
        let pairs = (u32::from(*self.ports.end()) + 1).saturating_sub(first) / 2;
        let start = self.rng.below(u64::from(pairs)) as u32;
        let mut last = io::ErrorKind::AddrInUse.into();
        for i in 0..pairs {
            let port = (first + (start + i) % pairs * 2) as u16;
            match (bind(local, port), bind(local, port + 1)) {
                (Ok(rtp), Ok(rtcp)) => return Ok((rtp, rtcp)),
                (Err(error), _) | (_, Err(error)) if error.kind() == io::ErrorKind::AddrInUse => last = error,
                (Err(error), _) | (_, Err(error)) => return Err(error),
            }
        }
        Err(last)
    }
}

fn bind(local: IpAddr, port: u16) -> io::Result<Rc<UdpSocket>> {
    let socket = std::net::UdpSocket::bind((local, port))?;
    socket.set_nonblocking(true)?;
    Ok(Rc::new(UdpSocket::from_std(socket)?))
}

async fn read(number: MediaSocket, socket: Rc<UdpSocket>, later: Later<Input>) {
    let mut buffer = [0; DATAGRAM_BYTES_MAX + 1];
    loop {
        // An error here is that of an earlier send (nobody is listening there yet), and is taken by being reported.
        let Ok((count, from)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        if count <= DATAGRAM_BYTES_MAX {
            let bytes = Bytes::copy_from_slice(&buffer[..count]);
            if !later.answer(Input::Media { socket: number, from, bytes }).await {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::shard_queues;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn run(test: impl AsyncFnOnce(Later<Input>, tokio::sync::mpsc::Receiver<Input>)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build_local(Default::default());
        let mut inboxes = shard_queues::<Input>(1).1.pop().unwrap();
        let answers = std::mem::replace(&mut inboxes.answers, tokio::sync::mpsc::channel(1).1);
        runtime.unwrap().block_on(test(inboxes.later, answers));
    }

    /// An even port whose neighbours were free a moment ago, too.
    fn free_ports(count: u16) -> RangeInclusive<u16> {
        let free = |port: u16| std::net::UdpSocket::bind((LOOPBACK, port)).is_ok();
        let first = (21_000..29_000).step_by(2).find(|first| (*first..*first + count).all(free)).unwrap();
        first..=first + count - 1
    }

    #[test]
    fn sound_goes_out_and_comes_in_on_both_ports_of_the_pair() {
        run(async |later, mut answers| {
            let mut sockets = MediaSockets::new(10_000..=29_999, Rng::from_u64(1));
            let (a, at_a) = sockets.open(LOOPBACK, &later).unwrap();
            let (b, at_b) = sockets.open(LOOPBACK, &later).unwrap();
            assert_eq!((at_a.port() % 2, at_b.port() % 2, at_a.ip()), (0, 0, LOOPBACK));
            sockets.send(a, at_b, &[0; DATAGRAM_BYTES_MAX + 1]);
            for (to, text) in [(at_b, b"rtp."), (SocketAddr::new(LOOPBACK, at_b.port() + 1), b"rtcp")] {
                sockets.send(a, to, text);
                match answers.recv().await {
                    Some(Input::Media { socket, from, bytes }) => {
                        assert_eq!((socket, from, &bytes[..]), (b, at_a, &text[..]));
                    }
                    other => panic!("{other:?}"),
                }
            }
        });
    }

    #[test]
    fn a_closed_pair_is_free_again_and_a_range_can_be_used_up() {
        run(async |later, _answers| {
            let ports = free_ports(2);
            let mut sockets = MediaSockets::new(ports.clone(), Rng::from_u64(1));
            let (first, address) = sockets.open(LOOPBACK, &later).unwrap();
            assert_eq!(address.port(), *ports.start());
            assert_eq!(sockets.open(LOOPBACK, &later).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            sockets.close(first);
            while sockets.open(LOOPBACK, &later).is_err() {
                tokio::task::yield_now().await; // until the readers have heard that they are not wanted any more
            }
            let none = RangeInclusive::new(5, 5);
            assert!(MediaSockets::new(none, Rng::from_u64(1)).open(LOOPBACK, &later).is_err());
        });
    }

    #[test]
    fn there_is_a_most_of_sockets() {
        run(async |later, _answers| {
            let mut sockets = MediaSockets::new(10_000..=29_999, Rng::from_u64(2));
            for _ in 0..MEDIA_SOCKETS_MAX {
                sockets.open(LOOPBACK, &later).unwrap();
            }
            assert_eq!(sockets.open(LOOPBACK, &later).unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
        });
    }
}
