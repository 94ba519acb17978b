use super::StreamLimits;
use super::connection::{Outgoing, Scratch};
use super::cutter::{Cut, Cutter};
use super::websocket;
use super::wire::Wire;
use crate::wire_event::{End, WireEvent};
use bytes::Bytes;
use sip_transaction::Flow;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::task::ready;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// A normal end (RFC 6455 section 7.4.1).
const NORMAL: u16 = 1000;

/// The reading half.
pub(super) struct Reading<'a> {
    pub(super) flow: Flow,
    pub(super) limits: StreamLimits,
    pub(super) scratch: &'a Scratch,
    pub(super) events: &'a mpsc::Sender<WireEvent>,
    pub(super) pongs: &'a mpsc::WeakSender<Outgoing>,
    /// Whether our engine has had something to say to the peer: what it did not answer was no SIP, whatever it looked like.
    pub(super) spoken_to: &'a Cell<bool>,
}

impl Reading<'_> {
    /// Reads to the end; with it comes what is still to be said.
    pub(super) async fn run(
        &self,
        wire: &RefCell<Wire>,
        cutter: &mut Cutter,
        mut probation: Option<Instant>,
    ) -> (End, Option<Bytes>) {
        let mut message_until = None;
        loop {
            // What came with the handshake is there before the first read.
            loop {
                match cutter.next() {
                    Ok(Some(Cut::Message(bytes))) => {
                        message_until = None;
                        if self.events.send(WireEvent::Message { flow: self.flow, bytes }).await.is_err() {
                            return (End::Closed, None);
                        }
                    }
                    Ok(Some(Cut::Ping(answer))) => {
                        let pong = Outgoing { bytes: answer, on_failure: None, is_pong: true };
                        if self.pongs.upgrade().is_none_or(|queue| queue.try_send(pong).is_err()) {
                            return (End::Cut, None);
                        }
                    }
                    Ok(Some(Cut::Nothing)) => {}
                    Ok(Some(Cut::Close)) => {
                        return (End::Closed, cutter.role().map(|role| websocket::closing(role, NORMAL)));
                    }
                    Ok(None) => break,
                    Err(last_word) => return (End::Cut, last_word),
                }
            }
            // The clock of a message runs from its first byte; more of it coming does not turn it back.
            message_until = match message_until {
                _ if !cutter.in_message() => None,
                None => Some(Instant::now() + self.limits.message),
                running => running,
            };
            probation = probation.filter(|_| !self.spoken_to.get());
            let idle_until = Instant::now() + self.limits.idle;
            let until = [message_until, probation].into_iter().flatten().fold(idle_until, Instant::min);
            match timeout_at(until, self.read(wire, cutter)).await {
                // The probation has been passed while it was waited for.
                Err(_) if probation == Some(until) && self.spoken_to.get() => {}
                Err(_) => return (End::Cut, None),
                Ok(Err(_) | Ok(0)) => return (End::Closed, None),
                Ok(Ok(_)) => {}
            }
        }
    }

    /// Reads once, and tells how many bytes there were: 0 at the end.
    async fn read(&self, wire: &RefCell<Wire>, cutter: &mut Cutter) -> io::Result<usize> {
        poll_fn(|cx| {
            let mut scratch = self.scratch.borrow_mut();
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut *wire.borrow_mut()).poll_read(cx, &mut buffer))?;
            cutter.push(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
        .await
    }
}
