use std::time::Duration;

/// Connections that one driver holds, accepted and opened ones together; the next is refused.
pub const CONNECTIONS_MAX: usize = 8192;

/// Connections that one driver holds from one address (a whole office may sit behind one), or from one /64 of IPv6; the next is
/// refused.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 1024;

/// Messages that may wait to be written to one connection. A peer that lets more pile up is not reading, and is cut.
pub const CONNECTION_QUEUE_MAX: usize = 256;

/// Seconds in which a message that has begun must be whole; a peer that drips is cut.
pub const STREAM_MESSAGE_S_MAX: u64 = 20;

/// Seconds that the handshakes of TLS and WebSocket of an accepted connection may take together.
pub const STREAM_HANDSHAKE_S_MAX: u64 = 10;

/// Seconds in which an accepted connection must bring something that our engine has an answer to; keep-alives are not enough, nor is
/// what is dropped without a word.
pub const STREAM_FIRST_MESSAGE_S_MAX: u64 = 60;

/// Seconds that a connection may be silent: longer than the longest registration, for a phone is reached over the connection it
/// registered on. Dead peers are found earlier, by TCP's keep-alive.
pub const STREAM_IDLE_S_MAX: u64 = 7500;

/// Seconds that a connection may take to be opened, handshakes included: less than the 32 s of a SIP transaction, so that another way can be tried.
pub const STREAM_CONNECT_S_MAX: u64 = 5;

/// Seconds in which the peer must accept something of what we write.
pub const STREAM_WRITE_S_MAX: u64 = 20;

/// What a stream may take of us. The default is made of the constants of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// [`CONNECTIONS_MAX`]
    pub connections: usize,
    /// [`CONNECTIONS_PER_ADDRESS_MAX`]
    pub connections_per_address: usize,
    /// [`STREAM_MESSAGE_S_MAX`]
    pub message: Duration,
    /// [`STREAM_HANDSHAKE_S_MAX`]
    pub handshake: Duration,
    /// [`STREAM_FIRST_MESSAGE_S_MAX`]
    pub first_message: Duration,
    /// [`STREAM_IDLE_S_MAX`]
    pub idle: Duration,
    /// [`STREAM_CONNECT_S_MAX`]
    pub connect: Duration,
    /// [`STREAM_WRITE_S_MAX`]
    pub write: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        StreamLimits {
            connections: CONNECTIONS_MAX,
            connections_per_address: CONNECTIONS_PER_ADDRESS_MAX,
            message: Duration::from_secs(STREAM_MESSAGE_S_MAX),
            handshake: Duration::from_secs(STREAM_HANDSHAKE_S_MAX),
            first_message: Duration::from_secs(STREAM_FIRST_MESSAGE_S_MAX),
            idle: Duration::from_secs(STREAM_IDLE_S_MAX),
            connect: Duration::from_secs(STREAM_CONNECT_S_MAX),
            write: Duration::from_secs(STREAM_WRITE_S_MAX),
        }
    }
}
