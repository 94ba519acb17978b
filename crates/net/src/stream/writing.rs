use super::connection::{Outgoing, fail};
use super::websocket::{self, Role};
use super::wire::Wire;
use crate::wire_event::{End, WireEvent};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Messages written with one system call.
const WRITE_BATCH: usize = 32;

/// We are leaving (RFC 6455 section 7.4.1).
const GOING_AWAY: u16 = 1001;

/// Writes what the queue brings, until the queue or the connection ends; with the end comes what is still to be said.
///
/// What TLS holds back of a message counts as written, as does what the kernel holds back.
pub(super) async fn write(
    wire: &RefCell<Wire>,
    role: Option<Role>,
    queue: &mut mpsc::Receiver<Outgoing>,
    patience: Duration,
    events: &mpsc::Sender<WireEvent>,
    spoken_to: &Cell<bool>,
) -> (End, Option<Bytes>) {
    let mut batch: Vec<Outgoing> = Vec::new();
    loop {
        batch.clear();
        if queue.recv_many(&mut batch, WRITE_BATCH).await == 0 {
            return (End::Closed, role.map(|role| websocket::closing(role, GOING_AWAY)));
        }
        if let Some(role) = role {
            let messages = batch.iter_mut().filter(|outgoing| !outgoing.is_pong);
            messages.for_each(|outgoing| outgoing.bytes = websocket::message(role, &outgoing.bytes));
        }
        let mut whole = 0;
        let end = match write_batch(wire, &batch, &mut whole, patience, spoken_to).await {
            Ok(Ok(())) => continue,
            Ok(Err(_)) => End::Closed,
            Err(_) => End::Cut,
        };
        for message in batch.drain(whole..) {
            fail(events, message.on_failure).await;
        }
        return (end, None);
    }
}

/// Writes all of these; `whole` counts those that are. The outer error is that the peer takes nothing for too long.
async fn write_batch(
    wire: &RefCell<Wire>,
    batch: &[Outgoing],
    whole: &mut usize,
    patience: Duration,
    spoken_to: &Cell<bool>,
) -> Result<io::Result<()>, tokio::time::error::Elapsed> {
    let mut part = 0;
    while let Some((first, rest)) = batch.get(*whole..).and_then(<[_]>::split_first) {
        let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
        slices[0] = IoSlice::new(&first.bytes[part..]);
        slices[1..].iter_mut().zip(rest).for_each(|(slice, message)| *slice = IoSlice::new(&message.bytes));
        let slices = &slices[..=rest.len()];
        let writing = poll_fn(|cx| Pin::new(&mut *wire.borrow_mut()).poll_write_vectored(cx, slices));
        let mut written = match timeout(patience, writing).await? {
            Ok(0) => return Ok(Err(io::ErrorKind::WriteZero.into())),
            Ok(written) => written + part,
            Err(error) => return Ok(Err(error)),
        };
        while let Some(message) = batch.get(*whole).filter(|message| message.bytes.len() <= written) {
            written -= message.bytes.len();
            spoken_to.set(spoken_to.get() || !message.is_pong);
            *whole += 1;
        }
        part = written;
    }
    timeout(patience, poll_fn(|cx| Pin::new(&mut *wire.borrow_mut()).poll_flush(cx))).await
}
