//! Sockets and the per-core driver: the shell around the engines.
//!
//! What it does not do: it knows no SIP. It moves messages between sockets and an [`Engine`], finds where a stream's messages end,
//! tells time, and answers what the engine asks; no match on a method, a status or a header is to be found here.
//!
//! One thread per core runs a [`driver`]: its own UDP sockets (`SO_REUSEPORT`), listeners and connections, its own engine, no locks.
//! A turn of its loop is receive, feed, drain, send, each in bounded batches; see `driver/turn.rs`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // above the purity line: this is where the world begins

mod exchange;
mod orders;
mod telephone;

mod engine;
mod serving;

mod dns;
mod driver;
mod resolve;

mod listen;
mod stream;
mod tls;
mod udp;
mod wire_event;

mod chance;
mod counters;
mod gate;
mod tap;

mod island;

pub use chance::system_rng;
pub use counters::{Counters, Totals};
pub use dns::{
    DNS_CACHE_MAX, DnsConfig, LOOKUP_TIME_MAX, NOTHING_S_MAX, NOTHING_S_MIN, SILENCE_S_MAX, SILENT_NAMES_MAX,
    SYSTEM_LOOKUPS_MAX,
};
pub use driver::{Later, OVERLOAD_ENDS_AFTER, OVERLOADED_AFTER, SHARD_QUEUE_MAX};
pub use engine::{Backend, Engine, Output};
pub use exchange::serve;
pub use gate::Gate;
pub use island::thread_cpu_time;
pub use listen::{Holder, ListenConfig, ListenError, LocalAddress};
pub use orders::{Orders, REPORT_TIME_MAX};
pub use resolve::{
    FLOWS_MAX, REMEMBERED_MAX, REMEMBERED_TIME_MAX, RESOLVE_TIME_MAX, RESOLVES_MAX, Resolver, SERVICES_MAX, TARGETS_MAX,
};
pub use serving::{Owner, ServeConfig, Serving, Shard, serve_engines};
pub use stream::{
    CONNECTION_QUEUE_MAX, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, PLANS_MAX, Plans, STREAM_CONNECT_S_MAX,
    STREAM_FIRST_MESSAGE_S_MAX, STREAM_HANDSHAKE_S_MAX, STREAM_IDLE_S_MAX, STREAM_MESSAGE_S_MAX, STREAM_WRITE_S_MAX,
    StreamLimits, WEBSOCKET_HEAD_BYTES_MAX,
};
pub use tap::{Direction, Tap};
pub use telephone::{EVENTS_MAX, MEDIA_SOCKETS_MAX, PhoneShell, PhoneShellConfig};
pub use tls::{
    LOCAL_CA_DAYS, LOCAL_CERTIFICATE_DAYS, LocalCaError, PemFile, PemPair, TLS_CLIENT_SESSIONS_MAX, Tls, TlsError,
    TlsSetup, TlsWrong, local_certificate_is_stale, make_local_ca, make_local_certificate,
};
pub use udp::{BATCH, Datagram, Flushed, ReceiveArena, Received, SEND_QUEUE_MAX, UdpBatch};
