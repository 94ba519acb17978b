use super::websocket::{self, Role, WebSocketFramer};
use super::wire::Wire;
use super::{Cutter, StreamLimits};
use crate::tls::{Names, Tls};
use crate::wire_event::End;
use rustls_pki_types::ServerName;
use sip_message::{Framer, Transport};
use sip_transaction::Flow;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What it takes to get from a TCP connection to one that messages go over.
pub(crate) struct Opening {
    pub(crate) transport: Transport,
    pub(crate) tls: Option<Tls>,
    /// Whom the other end must prove to be, and which host a WebSocket asks for; empty for accepted connections.
    pub(crate) domain: String,
}

/// A connection that is ready for messages.
pub(super) struct Opened {
    pub(super) wire: Wire,
    pub(super) cutter: Cutter,
    /// Whom the other end of an accepted connection has proved to be.
    pub(super) proved: Vec<String>,
}

impl Opening {
    /// The handshakes of an accepted connection.
    pub(super) async fn accept(self, stream: TcpStream, limits: StreamLimits) -> Result<Opened, End> {
        tune(&stream);
        if self.transport == Transport::Tcp {
            return Ok(Opened { wire: Wire::Tcp(stream), cutter: Cutter::Stream(Framer::new()), proved: Vec::new() });
        }
        // In a box, so that what they need is given back when they are done: the task stays as small as it was.
        match timeout(limits.handshake, Box::pin(self.shake_accepted(stream))).await {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err(_)) | Err(_) => Err(End::NoHandshake),
        }
    }

    async fn shake_accepted(self, stream: TcpStream) -> io::Result<Opened> {
        let mut proved = Vec::new();
        let mut wire = if self.transport.is_secure() {
            let server = self.tls.and_then(|tls| tls.current().server.clone()).ok_or(io::ErrorKind::Unsupported)?;
            let stream = TlsAcceptor::from(server).accept(stream).await?;
            let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            proved.extend(shown.and_then(|certificate| Names::of(certificate)).iter().flat_map(Names::proved));
            Wire::Tls(Box::new(stream.into()))
        } else {
            Wire::Tcp(stream)
        };
        let cutter = match self.transport {
            Transport::Ws | Transport::Wss => web_socket(Role::Server, &websocket::accept(&mut wire).await?),
            _ => Cutter::Stream(Framer::new()),
        };
        Ok(Opened { wire, cutter, proved })
    }

    /// Opens a connection: TCP, and what the transport wants above it, all within the time that opening may take.
    pub(super) async fn connect(self, flow: Flow, limits: StreamLimits) -> Result<Opened, End> {
        let (tls, domain) = (self.tls.clone(), self.domain.clone());
        match timeout(limits.connect, Box::pin(self.connect_and_shake(flow))).await {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err(error)) if is_distrust(&error) => {
                if let Some(tls) = tls {
                    tls.set_distrust(format!("{domain} at {}: {error}", flow.remote));
                }
                Err(End::NotTrusted)
            }
            Ok(Err(_)) | Err(_) => Err(End::NotConnected),
        }
    }

    async fn connect_and_shake(self, flow: Flow) -> io::Result<Opened> {
        let stream = connect(flow).await?;
        tune(&stream);
        let mut wire = if self.transport.is_secure() {
            let client = self.tls.map(|tls| tls.current().client.clone()).ok_or(io::ErrorKind::Unsupported)?;
            let name = ServerName::try_from(self.domain.clone()).map_err(io::Error::other)?;
            Wire::Tls(Box::new(TlsConnector::from(client).connect(name, stream).await?.into()))
        } else {
            Wire::Tcp(stream)
        };
        let cutter = match self.transport {
            Transport::Ws | Transport::Wss => {
                let host = if self.domain.contains(':') { format!("[{}]", self.domain) } else { self.domain };
                let host = format!("{host}:{}", flow.remote.port());
                web_socket(Role::Client, &websocket::ask(&mut wire, &host).await?)
            }
            _ => Cutter::Stream(Framer::new()),
        };
        Ok(Opened { wire, cutter, proved: Vec::new() })
    }
}

/// With what came behind the handshake.
fn web_socket(role: Role, rest: &[u8]) -> Cutter {
    let mut framer = WebSocketFramer::new(role);
    framer.push(rest);
    Cutter::WebSocket(framer)
}

/// Whether a handshake failed for what the other end's certificate says.
fn is_distrust(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    inner.is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
}

fn tune(stream: &TcpStream) {
    // Whole small messages at once are what we write, so there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    // A peer that is gone without a word is found out within two minutes.
    let probes = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    let _ = SockRef::from(stream).set_tcp_keepalive(&probes.with_retries(4));
}

async fn connect(flow: Flow) -> io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if !flow.local.ip().is_unspecified() {
        let mut from = flow.local;
        from.set_port(0);
        socket.bind(from)?;
    }
    socket.connect(flow.remote).await
}
