use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($(#[doc = $doc:literal] $name:ident,)*) => {
        /// What one driver has counted. Each counter only grows; they are read one by one, not as a snapshot.
        #[derive(Debug, Default)]
        pub struct Counters { $(#[doc = $doc] pub $name: AtomicU64,)* }

        /// The counters of all drivers together, at one time.
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
        pub struct Totals { $(#[doc = $doc] pub $name: u64,)* }

        impl Totals {
            pub(crate) fn add(&mut self, counters: &Counters) {
                $(self.$name += counters.$name.load(Ordering::Relaxed);)*
            }

            /// Each counter: its name, what it counts in a sentence, its value.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), $doc.trim_ascii(), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Datagrams received, keep-alives included.
    datagrams_received,
    /// Of these, those that the gate did not let in.
    datagrams_limited,
    /// Datagrams that the kernel took.
    datagrams_sent,
    /// Datagrams that it refused (no route, too long).
    datagrams_refused,
    /// Datagrams dropped because the send queue was full, or because no socket of ours has the source address.
    datagrams_unsent,
    /// Datagrams of ours that an ICMP error says did not arrive.
    datagrams_unreachable,
    /// Keep-alives over UDP, which nobody answers.
    keep_alives,
    /// Messages cut out of streams.
    stream_messages_received,
    /// Of these, those that the gate did not let in.
    stream_messages_limited,
    /// Messages handed to connections.
    stream_messages_sent,
    /// Connections accepted.
    accepted,
    /// Connections refused, because there were too many, in all or from one address.
    connections_refused,
    /// Connections that the gate did not let in.
    connections_limited,
    /// Connections opened by us.
    connected,
    /// Connections that could not be opened.
    connects_failed,
    /// Of these, those whose other end showed a certificate that is not to be believed, or is not for the domain that was looked for.
    connects_distrusted,
    /// Connections accepted whose handshake (TLS, WebSocket) failed or took too long.
    handshakes_failed,
    /// Connections that ended, for whatever reason.
    connections_closed,
    /// Connections that we cut: too slow, too long, senseless, or not reading.
    connections_cut,
    /// Messages dropped because the queue to another shard was full.
    shard_queue_full,
    /// Times that the driver came to be overloaded.
    overloads,
    /// Turns of the driver's loop.
    turns,
    /// Pauses made to let datagrams gather.
    pauses,
}

/// Adds to a counter that only this thread writes.
pub(crate) fn count(counter: &AtomicU64, amount: usize) {
    // One writer: a load and a store are cheaper than a locked addition.
    counter.store(counter.load(Ordering::Relaxed) + amount as u64, Ordering::Relaxed);
}
