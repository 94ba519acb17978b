//! Streams: connections accepted and opened, each one a local task that cuts messages out of what comes and writes what it is given.

mod connection;
mod limits;
mod listener;
mod table;

pub use limits::{
    CONNECTION_QUEUE_MAX, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, STREAM_CONNECT_S_MAX,
    STREAM_FIRST_MESSAGE_S_MAX, STREAM_IDLE_S_MAX, STREAM_MESSAGE_S_MAX, STREAM_WRITE_S_MAX, StreamLimits,
};
pub(crate) use listener::accept_all;
pub(crate) use table::{Connections, driver_of};
