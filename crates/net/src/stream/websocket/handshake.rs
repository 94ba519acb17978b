use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};
use tokio_tungstenite::tungstenite::handshake::{client, derive_accept_key};

/// The longest head of a request or a response of a handshake. What browsers send with their cookies fits.
pub const WEBSOCKET_HEAD_BYTES_MAX: usize = 8 * 1024;

const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// The handshake of a connection that was accepted (RFC 6455 section 4.2, RFC 7118 section 4.1); what came behind the request is
/// returned. What is no request for a WebSocket of SIP gets an answer of HTTP that says so, and is an error.
///
/// Origin is not looked at: it defends servers that trust what a browser sends with a request by itself, such as cookies. Here each
/// request proves by itself who it is from, and a web page on another host may well be a telephone.
pub(in crate::stream) async fn accept(wire: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<Vec<u8>> {
    let (request, rest) = match head::<Request>(wire).await {
        Ok(parsed) => parsed,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(refuse(wire, "400 Bad Request", "this is no WebSocket handshake").await);
        }
        Err(error) => return Err(error),
    };
    let mut response = match create_response(&request) {
        Ok(response) => response,
        Err(Error::Protocol(
            ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingSecWebSocketVersionHeader,
        )) => {
            let status = "426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
            return Err(refuse(wire, status, "this port speaks WebSocket (version 13) with the sub-protocol sip").await);
        }
        Err(_) => return Err(refuse(wire, "400 Bad Request", "this WebSocket handshake makes no sense").await),
    };
    let offers = request.headers().get_all(PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if !offers.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case("sip")) {
        return Err(refuse(wire, "400 Bad Request", "the sub-protocol sip is needed (RFC 7118 section 4.1)").await);
    }
    response.headers_mut().insert(PROTOCOL, "sip".parse().map_err(io::Error::other)?);
    let mut bytes = Vec::new();
    write_response(&mut bytes, &response).map_err(io::Error::other)?;
    wire.write_all(&bytes).await?;
    wire.flush().await?;
    Ok(rest)
}

/// The handshake of a connection that we opened, to this host (RFC 6455 section 4.1).
pub(in crate::stream) async fn ask(
    wire: &mut (impl AsyncRead + AsyncWrite + Unpin),
    host: &str,
) -> io::Result<Vec<u8>> {
    let key = client::generate_key();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Version: 13\r\n{PROTOCOL}: sip\r\n\r\n"
    );
    wire.write_all(request.as_bytes()).await?;
    wire.flush().await?;
    let (response, rest) = head::<client::Response>(wire).await?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let agreed = response.status().as_u16() == 101
        && header("Upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
        && header("Sec-WebSocket-Accept") == Some(&derive_accept_key(key.as_bytes()))
        && header("Sec-WebSocket-Extensions").is_none()
        && header(PROTOCOL).is_some_and(|value| value.eq_ignore_ascii_case("sip"));
    if agreed { Ok(rest) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
}

/// Reads the head of a request or response; what came behind it is returned, too.
async fn head<Head: TryParse>(wire: &mut (impl AsyncRead + Unpin)) -> io::Result<(Head, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        let left = WEBSOCKET_HEAD_BYTES_MAX.saturating_sub(bytes.len()) as u64;
        match (&mut *wire).take(left).read_buf(&mut bytes).await? {
            0 if left == 0 => return Err(io::ErrorKind::InvalidData.into()),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            // Only a line that has ended can bring news; whoever drips does not make us read from the start each time.
            count if !bytes[bytes.len() - count..].contains(&b'\n') => continue,
            _ => {}
        }
        match Head::try_parse(&bytes) {
            Ok(Some((length, head))) => return Ok((head, bytes.split_off(length.min(bytes.len())))),
            Ok(None) => {}
            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Says why not, and gives the error to end with.
async fn refuse(wire: &mut (impl AsyncWrite + Unpin), status: &str, why: &str) -> io::Error {
    let length = why.len() + 1;
    let text = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{why}\n"
    );
    let _ = wire.write_all(text.as_bytes()).await;
    let _ = wire.shutdown().await;
    io::ErrorKind::InvalidData.into()
}
