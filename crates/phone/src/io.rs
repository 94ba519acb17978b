use crate::{Command, Event};
use bytes::Bytes;
use sip_message::NextHop;
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::net::{IpAddr, SocketAddr};

/// A question to the shell, by the phone's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A socket for sound, by the shell's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaSocket(pub u32);

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// A datagram, or one message of a stream.
    Packet {
        /// Where it came from, and on which of our addresses.
        flow: Flow,
        /// All of it.
        bytes: Bytes,
    },
    /// What an [`Output::Send`] of this transaction sent could not be sent, or its connection not be made.
    SendFailed {
        /// The transaction named there.
        transaction: ClientTransactionId,
    },
    /// A connection is gone.
    ConnectionClosed(ConnectionId),
    /// The answer to an [`Output::Ask`].
    Answer(Answer),
    /// What the user wants.
    Command(Command),
    /// A datagram that came to a socket for sound.
    Media {
        /// Which socket.
        socket: MediaSocket,
        /// Who sent it.
        from: SocketAddr,
        /// All of it.
        bytes: Bytes,
    },
}

/// What goes out, in this order.
#[derive(Debug)]
pub enum Output {
    /// Send a message.
    Send {
        /// The way.
        flow: Flow,
        /// The message.
        bytes: Bytes,
        /// Who is to be told when that fails ([`Input::SendFailed`]).
        transaction: Option<ClientTransactionId>,
    },
    /// Send a datagram of sound.
    SendMedia {
        /// From which socket.
        socket: MediaSocket,
        /// Where to.
        to: SocketAddr,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// Find something out, or do something that only the shell can.
    Ask(Ask),
    /// Tell the user.
    Event(Event),
}

/// What the phone needs of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Where does this lead? (RFC 3263)
    Resolve {
        /// To be handed back.
        ticket: Ticket,
        /// What leads there.
        next_hop: NextHop,
    },
    /// Open a socket for sound (RTP and RTCP).
    OpenMedia {
        /// To be handed back.
        ticket: Ticket,
        /// The address of ours that the peer reaches us at: open it there, or on all addresses of its family.
        local: IpAddr,
    },
    /// Close it. No answer is awaited.
    CloseMedia(MediaSocket),
}

/// What the world says to an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Ask::Resolve`].
    Resolved {
        /// The question's.
        ticket: Ticket,
        /// The ways there, best first, each with the local address that the other end can answer to (on a stream: the one we listen
        /// at). None: not found.
        flows: Vec<Flow>,
    },
    /// To [`Ask::OpenMedia`].
    MediaOpened {
        /// The question's.
        ticket: Ticket,
        /// The socket.
        socket: MediaSocket,
        /// Its address; when that is unspecified, only the port counts.
        local: SocketAddr,
    },
    /// To [`Ask::OpenMedia`]: it could not be.
    MediaFailed {
        /// The question's.
        ticket: Ticket,
    },
}
