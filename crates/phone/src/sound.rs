//! The sound of calls: sockets asked for, sessions offered and answered (RFC 3264), streams driven.

use crate::phone::Due;
use crate::{Ask, CallId, Event, MediaSocket, Output, Phone, Ticket};
use engine::Now;
use media::{DigitError, Source, Stream};
use sdp::{Codec, LocalCapabilities, NegotiatedAudio, SessionDescription};
use sip_ua::Body;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// How far a call's sound has come.
#[derive(Debug)]
pub(crate) enum Sound {
    /// Nothing is known yet.
    None,
    /// It rings here: what the caller offers (without, it wants our offer), and the address that the caller reaches us at.
    Ringing { offer: Option<Box<SessionDescription>>, local: IpAddr },
    /// A socket is being opened, to make an offer or to answer one.
    Opening { what_for: WhatFor, local: IpAddr },
    /// Our offer is out.
    Offered(Box<Session>),
    /// It flows.
    Flowing(Box<Flowing>),
    /// No more.
    Over,
}

#[derive(Debug)]
pub(crate) enum WhatFor {
    /// Our INVITE.
    Invite,
    /// Our answer to this offer, or our offer in the answer.
    Answer(Option<Box<SessionDescription>>),
}

/// What we have said of a session, and where it happens.
#[derive(Debug)]
pub(crate) struct Session {
    socket: MediaSocket,
    capabilities: LocalCapabilities,
    /// Our latest description.
    local: SessionDescription,
}

/// A session that both have agreed on.
#[derive(Debug)]
pub(crate) struct Flowing {
    session: Box<Session>,
    codec: Codec,
    stream: Stream,
    /// When it is due, as `deadlines` knows it.
    due: Option<Instant>,
    /// Our latest description is an offer that awaits its answer.
    is_offer: bool,
}

impl Phone {
    /// The way of an outgoing call is known: a socket on its near end, then the offer.
    pub(crate) fn located(&mut self, agent: sip_ua::CallId, flow: sip_transaction::Flow) {
        if let Some(&id) = self.by_agent.get(&agent) {
            self.open(id, WhatFor::Invite, flow.local.ip());
        }
    }

    pub(crate) fn open_for_answer(&mut self, id: CallId, offer: Option<Box<SessionDescription>>, local: IpAddr) {
        self.open(id, WhatFor::Answer(offer), local);
    }

    fn open(&mut self, id: CallId, what_for: WhatFor, local: IpAddr) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.sound = Sound::Opening { what_for, local };
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.opening.insert(ticket, id);
        self.outputs.push_back(Output::Ask(Ask::OpenMedia { ticket, local }));
    }

    pub(crate) fn media_opened(&mut self, now: Now, ticket: Ticket, socket: MediaSocket, local: SocketAddr) {
        let Some(id) = self.opening.remove(&ticket) else { return };
        let session_id = self.rng.next_u64();
        let call = self.calls.get_mut(&id).filter(|call| matches!(call.sound, Sound::Opening { .. }));
        let Some(call) = call else {
            // The call ended meanwhile.
            return self.outputs.push_back(Output::Ask(Ask::CloseMedia(socket)));
        };
        let Sound::Opening { what_for, local: reachable } = std::mem::replace(&mut call.sound, Sound::Over) else {
            return;
        };
        let agent = call.agent;
        let ip = if local.ip().is_unspecified() { reachable } else { local.ip() };
        let capabilities = self.capabilities(session_id, SocketAddr::new(ip, local.port()));
        self.by_socket.insert(socket, id);
        let (agreed, session) = match &what_for {
            WhatFor::Answer(Some(offer)) => match sdp::answer(offer, &capabilities, None) {
                Ok(sdp::Answer { description, negotiated }) => {
                    (Ok(negotiated.audio), Session { socket, capabilities, local: description })
                }
                // Examined when it came, so that only the address is new.
                Err(error) => {
                    (Err(error.to_string()), Session { socket, capabilities, local: SessionDescription::clone(offer) })
                }
            },
            WhatFor::Invite | WhatFor::Answer(None) => {
                (Ok(Vec::new()), Session { socket, local: sdp::offer(&capabilities, None), capabilities })
            }
        };
        let body = body(&session.local);
        self.set_sound(id, Sound::Offered(Box::new(session)));
        let audio = match agreed {
            Ok(audio) => audio,
            Err(why) => {
                self.event(Event::NoMedia { call: id, why });
                self.agent.reject(now, &mut self.layer, agent, 488, None);
                return;
            }
        };
        match what_for {
            WhatFor::Invite => {
                self.agent.invite(now, &mut self.layer, agent, body);
            }
            WhatFor::Answer(_) => {
                self.agent.answer(now, &mut self.layer, agent, body);
                self.event(Event::Answered { call: id, codec: audio.first().map(|audio| audio.codec) });
                if let Some(audio) = audio.first() {
                    self.start(now, id, audio);
                }
            }
        }
    }

    pub(crate) fn media_failed(&mut self, now: Now, ticket: Ticket) {
        let Some(id) = self.opening.remove(&ticket) else { return };
        let Some(call) = self.calls.get(&id) else { return };
        let agent = call.agent;
        match &call.sound {
            Sound::Opening { what_for: WhatFor::Invite, .. } => {
                self.give_up(now, id, "no socket for sound could be opened".to_owned())
            }
            Sound::Opening { what_for: WhatFor::Answer(_), .. } => {
                self.event(Event::NoMedia { call: id, why: "no socket for sound could be opened".to_owned() });
                self.agent.reject(now, &mut self.layer, agent, 500, None);
            }
            _ => {}
        }
    }

    pub(crate) fn capabilities(&self, session_id: u64, at: SocketAddr) -> LocalCapabilities {
        LocalCapabilities { codecs: self.config.codecs.clone(), ..LocalCapabilities::new(session_id, at) }
    }

    /// Whether an offer of ours awaits its answer.
    pub(crate) fn is_offered(&self, id: CallId) -> bool {
        match self.calls.get(&id).map(|call| &call.sound) {
            Some(Sound::Offered(_)) => true,
            Some(Sound::Flowing(flowing)) => flowing.is_offer,
            _ => false,
        }
    }

    /// The codec that we send with, when sound flows.
    pub(crate) fn codec(&self, id: CallId) -> Option<Codec> {
        match self.calls.get(&id).map(|call| &call.sound) {
            Some(Sound::Flowing(flowing)) => Some(flowing.codec),
            _ => None,
        }
    }

    /// Takes the answer to our latest offer: sound flows, or says why it cannot.
    ///
    /// An answer in a provisional response may come from another phone than the final one; the later one counts.
    pub(crate) fn agree(&mut self, now: Now, id: CallId, body: &Body) -> Result<Codec, String> {
        if !body.is("application/sdp") {
            return Err("the answer is no session description".to_owned());
        }
        let answer = SessionDescription::parse(&body.bytes).map_err(|error| error.to_string())?;
        let Some(call) = self.calls.get_mut(&id) else { return Err("the call is over".to_owned()) };
        let offer = match &call.sound {
            Sound::Offered(session) => &session.local,
            Sound::Flowing(flowing) => &flowing.session.local,
            Sound::None | Sound::Ringing { .. } | Sound::Opening { .. } | Sound::Over => {
                return Err("nothing was offered".to_owned());
            }
        };
        let negotiated = sdp::accept_answer(offer, &answer).map_err(|error| error.to_string())?;
        let audio = negotiated.audio.first().ok_or("every stream was refused")?;
        if let Sound::Flowing(flowing) = &mut call.sound {
            flowing.stream.update(audio);
            flowing.codec = audio.codec;
            flowing.is_offer = false;
            self.pump(id);
        } else {
            self.start(now, id, audio);
        }
        Ok(audio.codec)
    }

    /// The peer's INVITE inside the call: its offer is answered, or ours made (RFC 3261 section 14.2).
    pub(crate) fn offered(&mut self, now: Now, agent: sip_ua::CallId, body: Option<Body>) {
        let Some(&id) = self.by_agent.get(&agent) else { return };
        match self.answer_offer(id, body.as_ref()) {
            Ok(local) => {
                self.agent.answer(now, &mut self.layer, agent, self::body(&local));
                self.pump(id);
            }
            Err((status, why)) => {
                self.agent.reject(now, &mut self.layer, agent, status, Some(&why));
            }
        }
    }

    fn answer_offer(&mut self, id: CallId, body: Option<&Body>) -> Result<SessionDescription, (u16, String)> {
        let sound = self.calls.get_mut(&id).map(|call| &mut call.sound);
        let Some(Sound::Flowing(flowing)) = sound else { return Err((488, "no session to change".to_owned())) };
        let session = &mut flowing.session;
        let Some(body) = body else {
            session.local = sdp::offer(&session.capabilities, Some(&session.local));
            flowing.is_offer = true;
            return Ok(session.local.clone());
        };
        let offer = SessionDescription::parse(&body.bytes).map_err(|error| (400, error.to_string()))?;
        let answer = sdp::answer(&offer, &session.capabilities, Some(&session.local))
            .map_err(|error| (488, error.to_string()))?;
        if let Some(audio) = answer.negotiated.audio.first() {
            flowing.stream.update(audio);
            flowing.codec = audio.codec;
        }
        session.local = answer.description;
        Ok(session.local.clone())
    }

    /// Offer and answer are there: sound flows.
    fn start(&mut self, now: Now, id: CallId, audio: &NegotiatedAudio) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let config = media::Config::new(audio, call.play.clone(), call.record);
        let stream = Stream::new(config, self.rng.split(), now);
        call.sound = match std::mem::replace(&mut call.sound, Sound::Over) {
            Sound::Offered(session) => {
                Sound::Flowing(Box::new(Flowing { session, codec: audio.codec, stream, due: None, is_offer: false }))
            }
            other => other,
        };
        self.sound_is_due(now, id);
    }

    pub(crate) fn handle_media(&mut self, now: Now, socket: MediaSocket, from: SocketAddr, bytes: &[u8]) {
        let Some(&id) = self.by_socket.get(&socket) else { return };
        if let Some(Sound::Flowing(flowing)) = self.calls.get_mut(&id).map(|call| &mut call.sound) {
            flowing.stream.handle_input(now, from, bytes);
            self.pump(id);
        }
    }

    pub(crate) fn sound_is_due(&mut self, now: Now, id: CallId) {
        if let Some(Sound::Flowing(flowing)) = self.calls.get_mut(&id).map(|call| &mut call.sound) {
            flowing.stream.handle_timeout(now);
            self.pump(id);
        }
    }

    /// Carries what a stream says to where it belongs.
    fn pump(&mut self, id: CallId) {
        let Some(Sound::Flowing(flowing)) = self.calls.get_mut(&id).map(|call| &mut call.sound) else { return };
        while let Some(output) = flowing.stream.poll_output() {
            self.outputs.push_back(match output {
                // Both components share the one socket.
                media::Output::Packet { component: _, to, bytes } => {
                    Output::SendMedia { socket: flowing.session.socket, to, bytes }
                }
                media::Output::Event(event) => Output::Event(match event {
                    media::Event::FirstPacket { from } => Event::Heard { call: id, from },
                    media::Event::DtmfReceived { digit } => Event::Dtmf { call: id, digit },
                    media::Event::SourceEnded => Event::Played { call: id },
                }),
            });
        }
        let due = flowing.stream.poll_timeout();
        if flowing.due != due {
            if let Some(earlier) = flowing.due {
                self.deadlines.remove(&(earlier, Due::Sound, id));
            }
            flowing.due = due;
        }
        self.deadlines.extend(due.map(|due| (due, Due::Sound, id)));
    }

    pub(crate) fn play(&mut self, id: CallId, play: Source) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Sound::Flowing(flowing) = &mut call.sound {
            flowing.stream.set_source(play.clone());
        }
        call.play = play;
    }

    pub(crate) fn send_dtmf(&mut self, id: CallId, digits: &str) {
        for digit in digits.chars() {
            let sound = self.calls.get_mut(&id).map(|call| &mut call.sound);
            let sent = match sound {
                Some(Sound::Flowing(flowing)) => flowing.stream.send_dtmf(digit),
                Some(_) => Err(DigitError::NotNegotiated),
                None => return,
            };
            if let Err(why) = sent {
                self.event(Event::DtmfRefused { call: id, digit, why });
            }
        }
    }

    /// Ends the sound of a call, says how it was, and gives its socket back. Once.
    pub(crate) fn finish_sound(&mut self, now: Now, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Sound::Flowing(flowing) = &mut call.sound {
            flowing.stream.close(now);
            self.pump(id);
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let socket = match std::mem::replace(&mut call.sound, Sound::Over) {
            Sound::Flowing(mut flowing) => {
                let (report, recording) = (flowing.stream.report(), flowing.stream.take_recording());
                self.event(Event::Media { call: id, report, recording });
                flowing.session.socket
            }
            Sound::Offered(session) => session.socket,
            Sound::None | Sound::Ringing { .. } | Sound::Opening { .. } | Sound::Over => return,
        };
        self.by_socket.remove(&socket);
        self.outputs.push_back(Output::Ask(Ask::CloseMedia(socket)));
    }

    fn set_sound(&mut self, id: CallId, sound: Sound) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.sound = sound;
        }
    }
}

fn body(description: &SessionDescription) -> Option<Body> {
    Some(Body { content_type: "application/sdp".to_owned(), bytes: description.to_string().into() })
}
