use crate::config::Listen;
use crate::exit::Failure;
use axum::Router;
use axum::body::HttpBody;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Connections at once; for one more, the oldest is closed. A request takes milliseconds, so that the oldest is one who dawdles.
pub(crate) const CONNECTIONS_MAX: usize = 64;
/// How long a request line and its header fields may take to come.
pub(crate) const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a connection may last, from its beginning until its answer has been read: it carries one request.
pub(crate) const CONNECTION_TIME_MAX: Duration = Duration::from_secs(30);
/// Bytes of a request line and its header fields; more get 431.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header fields of a request; more get 431.
pub(crate) const HEADERS_MAX: usize = 64;
/// Bytes of a request's body; more get 413.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// How long to wait when no connection can be accepted: out of file descriptors, perhaps.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// A port that HTTP is spoken on.
#[derive(Debug)]
pub(crate) struct Port {
    listener: TcpListener,
    limits: Limits,
}

/// Opens the configured ports; in a runtime. Of those that nobody chose, what cannot be had is left out, for the reasons that come with
/// the others.
pub(crate) fn open(listen: &Listen) -> Result<(Vec<Port>, Vec<String>), Failure> {
    let (mut ports, mut left_out) = (Vec::new(), Vec::new());
    for address in &listen.http {
        match Port::open(*address) {
            Ok(port) => ports.push(port),
            Err(error) if listen.http_optional => {
                left_out.push(format!("cannot listen on {address} for HTTP: {error}"))
            }
            Err(error) => {
                let advice = "take another port with listen.http, or [] for none";
                return Err(Failure::usage(format!("cannot listen on {address} for HTTP: {error}\n{advice}")));
            }
        }
    }
    Ok((ports, left_out))
}

/// The limits that tests make smaller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) head_time: Duration,
    pub(super) connection_time: Duration,
}

impl Port {
    /// Listens; in a runtime.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Port> {
        Port::open_with(address, Limits { head_time: HEAD_TIME_MAX, connection_time: CONNECTION_TIME_MAX })
    }

    pub(super) fn open_with(address: SocketAddr, limits: Limits) -> io::Result<Port> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Port { listener: TcpListener::from_std(listener)?, limits })
    }

    /// Where it listens, as far as the system tells.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves `pages` within our limits until it is dropped, which ends all connections.
    pub(crate) async fn serve(self, pages: Router) {
        let pages = pages.layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).layer(middleware::from_fn(refuse_long_bodies));
        let mut connections = JoinSet::new();
        let mut oldest_first = VecDeque::new();
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            };
            while connections.try_join_next().is_some() {}
            oldest_first.retain(|connection: &tokio::task::AbortHandle| !connection.is_finished());
            if oldest_first.len() >= CONNECTIONS_MAX
                && let Some(oldest) = oldest_first.pop_front()
            {
                oldest.abort();
            }
            oldest_first.push_back(connections.spawn(converse(stream, pages.clone(), self.limits)));
        }
    }
}

/// One request and its answer.
async fn converse(stream: TcpStream, pages: Router, limits: Limits) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    // What goes wrong with a connection is over with it.
    let _ = tokio::time::timeout(limits.connection_time, connection).await;
}

/// What says that it is too long need not be read. What does not say how long it is, is counted as it is read.
async fn refuse_long_bodies(request: Request, next: Next) -> Response {
    if request.body().size_hint().lower() > BODY_BYTES_MAX as u64 {
        return (StatusCode::PAYLOAD_TOO_LARGE, "that is too long\n").into_response();
    }
    next.run(request).await
}
