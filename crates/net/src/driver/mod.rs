//! The loop that carries everything between the sockets and one engine, on one thread.

mod overload;
mod pace;
mod shards;
mod turn;
mod wires;

pub use overload::{OVERLOAD_ENDS_AFTER, OVERLOADED_AFTER};
pub(crate) use shards::shard_queues;
pub use shards::{Later, SHARD_QUEUE_MAX};
pub(crate) use turn::{Driver, DriverParts};
