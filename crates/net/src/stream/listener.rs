use crate::wire_event::WireEvent;
use sip_message::Transport;
use std::net::TcpListener;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long to leave connections waiting when the process has no descriptor left for them.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Connections accepted before the driver has its turn: their handshakes are work for the very thread that serves all the others.
const ACCEPTS_AT_ONCE: usize = 8;

/// Accepts connections for as long as the driver takes them.
pub(crate) async fn accept_all(transport: Transport, listener: TcpListener, events: mpsc::Sender<WireEvent>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let mut at_once = 0;
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                at_once += 1;
                if at_once == ACCEPTS_AT_ONCE {
                    at_once = 0;
                    tokio::task::yield_now().await;
                }
                if events.send(WireEvent::Accepted { transport, stream, remote }).await.is_err() {
                    return;
                }
            }
            // Of the errors of accept, some are the new connection's (it was reset meanwhile) and some are want of descriptors or
            // memory; trying at once would only help the first, and spin in the others.
            Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
        }
    }
}
