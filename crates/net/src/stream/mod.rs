//! Streams: connections accepted and opened, over TCP, TLS and WebSocket, each one a local task that cuts messages out of what comes and
//! writes what it is given.

mod limits;

mod listener;
mod plans;
mod table;

mod connection;
mod opening;

mod cutter;
mod reading;
mod writing;

mod websocket;
mod wire;

use cutter::Cutter;
pub use limits::{
    CONNECTION_QUEUE_MAX, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, STREAM_CONNECT_S_MAX,
    STREAM_FIRST_MESSAGE_S_MAX, STREAM_HANDSHAKE_S_MAX, STREAM_IDLE_S_MAX, STREAM_MESSAGE_S_MAX, STREAM_WRITE_S_MAX,
    StreamLimits,
};
pub(crate) use listener::accept_all;
pub use plans::{PLANS_MAX, Plans};
pub(crate) use table::{Connections, driver_of};
pub use websocket::WEBSOCKET_HEAD_BYTES_MAX;
