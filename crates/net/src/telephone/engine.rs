use super::media::MediaSockets;
use crate::{Backend, Engine, Later, Output, Resolver};
use ::engine::Now;
use bytes::Bytes;
use phone::{Answer, Ask, Event, Input, MediaSocket, Phone};
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::net::SocketAddr;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

/// What a phone wants besides messages sent, in the order of its outputs.
pub(super) enum Wish {
    Answer(Ask),
    SendMedia { socket: MediaSocket, to: SocketAddr, bytes: Vec<u8> },
}

/// A phone as the driver sees it. Commands and sound come in by the way of answers.
pub(super) struct PhoneEngine(pub(super) Phone);

impl Engine for PhoneEngine {
    type Ask = Wish;
    type Answer = Input;
    type Event = Event;

    fn handle_packet(&mut self, now: Now, flow: Flow, bytes: Bytes) {
        self.0.handle_input(now, Input::Packet { flow, bytes });
    }
    fn handle_send_failed(&mut self, now: Now, transaction: ClientTransactionId) {
        self.0.handle_input(now, Input::SendFailed { transaction });
    }
    /// A phone trusts what the handshake has checked; who else the far end is makes no difference to it.
    fn handle_proved(&mut self, _: Now, _: ConnectionId, _: Vec<String>) {}
    fn handle_connection_closed(&mut self, now: Now, connection: ConnectionId) {
        self.0.handle_input(now, Input::ConnectionClosed(connection));
    }
    fn handle_answer(&mut self, now: Now, input: Input) {
        self.0.handle_input(now, input);
    }
    /// One person's calls are no load.
    fn handle_overload(&mut self, _: Now, _: bool) {}
    fn handle_timeout(&mut self, now: Now) {
        self.0.handle_timeout(now);
    }
    fn poll_output(&mut self) -> Option<Output<Wish, Event>> {
        Some(match self.0.poll_output()? {
            phone::Output::Send { flow, bytes, transaction } => Output::Send { flow, bytes, transaction },
            phone::Output::SendMedia { socket, to, bytes } => Output::Ask(Wish::SendMedia { socket, to, bytes }),
            phone::Output::Ask(ask) => Output::Ask(Wish::Answer(ask)),
            phone::Output::Event(event) => Output::Event(event),
        })
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }
}

/// The world of one phone.
pub(super) struct PhoneBackend {
    pub(super) resolver: Resolver,
    pub(super) media: MediaSockets,
    pub(super) events: SyncSender<Event>,
}

impl Backend<PhoneEngine> for PhoneBackend {
    fn handle_ask(&mut self, _now: Now, wish: Wish, later: &Later<Input>) -> Option<Input> {
        match wish {
            Wish::SendMedia { socket, to, bytes } => {
                self.media.send(socket, to, &bytes);
                None
            }
            Wish::Answer(Ask::Resolve { ticket, next_hop }) => {
                if let Some(flows) = self.resolver.resolve_at_once(&next_hop) {
                    return Some(Input::Answer(Answer::Resolved { ticket, flows }));
                }
                let resolver = self.resolver.clone();
                later.spawn(async move {
                    let flows = resolver.resolve(&next_hop).await;
                    Input::Answer(Answer::Resolved { ticket, flows })
                });
                None
            }
            Wish::Answer(Ask::OpenMedia { ticket, local }) => {
                Some(Input::Answer(match self.media.open(local, later) {
                    Ok((socket, local)) => Answer::MediaOpened { ticket, socket, local },
                    Err(_) => Answer::MediaFailed { ticket },
                }))
            }
            Wish::Answer(Ask::CloseMedia(socket)) => {
                self.media.close(socket);
                None
            }
        }
    }

    fn handle_event(&mut self, _: Now, event: Event) {
        // Nobody may be listening, or not fast enough; see EVENTS_MAX.
        let _ = self.events.try_send(event);
    }
}
