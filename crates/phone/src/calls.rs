//! What commands and the user agent's events do to a call. Its sound is in `sound.rs`.

use crate::phone::Due;
use crate::sound::Sound;
use crate::{Answering, CallId, Dial, Event, Phone};
use engine::Now;
use media::Source;
use sdp::SessionDescription;
use sip_transaction::Flow;
use sip_ua::{Body, End, Failure, Party};

/// A call as the phone sees it: its signalling is the user agent's.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) agent: sip_ua::CallId,
    pub(crate) play: Source,
    pub(crate) record: bool,
    pub(crate) sound: Sound,
}

impl Phone {
    pub(crate) fn dial(&mut self, now: Now, dial: Dial) {
        let id = CallId::Placed(dial.call);
        if self.calls.contains_key(&id) {
            return;
        }
        let Some(to) = self.address(&dial.uri, dial.account) else {
            return self.event(Event::Failed { call: id, failure: Failure::NotFound });
        };
        let agent =
            self.agent.dial(now, &mut self.layer, sip_ua::Dial { uri: to.uri, identity: to.identity, route: to.route });
        let Some(agent) = agent else {
            let failure = Failure::Refused { status: 486, reason: "Too many calls here".to_owned() };
            return self.event(Event::Failed { call: id, failure });
        };
        self.by_agent.insert(agent, id);
        self.calls.insert(id, Call { agent, play: dial.play, record: dial.record, sound: Sound::None });
    }

    pub(crate) fn answer(&mut self, id: CallId, play: Source, record: bool) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Sound::Ringing { offer, local } = &mut call.sound {
            let (offer, local) = (offer.take(), *local);
            call.play = play;
            call.record = record;
            self.open_for_answer(id, offer, local);
        }
    }

    pub(crate) fn reject(&mut self, now: Now, id: CallId, status: u16) {
        if let Some(call) = self.calls.get(&id) {
            self.agent.reject(now, &mut self.layer, call.agent, status, None);
        }
    }

    /// The sound ends at once (RFC 3261 section 15.1.1), the call when the peer knows.
    pub(crate) fn hangup(&mut self, now: Now, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        if self.agent.hangup(now, &mut self.layer, call.agent) {
            self.finish_sound(now, id);
        }
    }

    pub(crate) fn incoming(
        &mut self,
        now: Now,
        agent: sip_ua::CallId,
        flow: Flow,
        body: Option<Body>,
        from: Party,
        uri: String,
    ) {
        let offer = match body.map(|body| self.examine_offer(&body)).transpose() {
            Ok(offer) => offer,
            Err((status, why)) => {
                self.agent.reject(now, &mut self.layer, agent, status, Some(&why));
                return;
            }
        };
        self.incoming = self.incoming.wrapping_add(1);
        let id = CallId::Incoming(self.incoming);
        let sound = Sound::Ringing { offer: offer.map(Box::new), local: flow.local.ip() };
        self.calls.insert(id, Call { agent, play: Source::Silence, record: false, sound });
        self.by_agent.insert(agent, id);
        self.event(Event::Incoming { call: id, from, uri, source: flow.remote });
        match self.config.answering.clone() {
            Answering::Reject(status) => self.reject(now, id, status),
            Answering::Answer { after, .. } if after.is_zero() => self.answer_is_due(now, id),
            Answering::Answer { after, .. } => {
                self.agent.ring(now, &mut self.layer, agent, 180, None);
                self.deadlines.insert((now.mono + after, Due::Answer, id));
            }
            Answering::Ring => {
                self.agent.ring(now, &mut self.layer, agent, 180, None);
            }
        }
    }

    pub(crate) fn answer_is_due(&mut self, _: Now, id: CallId) {
        if let Answering::Answer { play, record, .. } = self.config.answering.clone() {
            self.answer(id, play, record);
        }
    }

    pub(crate) fn progressed(&mut self, now: Now, agent: sip_ua::CallId, status: u16, body: Option<Body>) {
        let Some(&id) = self.by_agent.get(&agent) else { return };
        self.event(Event::Ringing { call: id, status });
        // What cannot be used may still come right with the answer.
        if let Some(body) = body
            && self.is_offered(id)
            && self.agree(now, id, &body).is_ok()
        {
            self.event(Event::EarlyMedia { call: id });
        }
    }

    pub(crate) fn answered(&mut self, now: Now, agent: sip_ua::CallId, body: Option<Body>) {
        let Some(&id) = self.by_agent.get(&agent) else { return };
        let agreed = match body {
            Some(body) => self.agree(now, id, &body),
            None => self.codec(id).ok_or_else(|| "the answer describes no session".to_owned()),
        };
        match agreed {
            Ok(codec) => self.event(Event::Answered { call: id, codec: Some(codec) }),
            Err(why) => self.give_up(now, id, why),
        }
    }

    pub(crate) fn acknowledged(&mut self, now: Now, agent: sip_ua::CallId, body: Option<Body>) {
        let Some(&id) = self.by_agent.get(&agent) else { return };
        if !self.is_offered(id) {
            return;
        }
        let agreed = match body {
            Some(body) => self.agree(now, id, &body),
            None => Err("the caller never described its session".to_owned()),
        };
        if let Err(why) = agreed {
            self.give_up(now, id, why);
        }
    }

    /// Ends a call in which no sound can flow.
    pub(crate) fn give_up(&mut self, now: Now, id: CallId, why: String) {
        self.event(Event::NoMedia { call: id, why });
        self.hangup(now, id);
    }

    pub(crate) fn failed(&mut self, now: Now, agent: sip_ua::CallId, failure: Failure) {
        if let Some(call) = self.remove(now, agent) {
            self.event(Event::Failed { call, failure });
        }
    }

    pub(crate) fn ended(&mut self, now: Now, agent: sip_ua::CallId, end: End) {
        if let Some(call) = self.remove(now, agent) {
            self.event(Event::Ended { call, end });
        }
    }

    fn remove(&mut self, now: Now, agent: sip_ua::CallId) -> Option<CallId> {
        let id = self.by_agent.remove(&agent)?;
        self.finish_sound(now, id);
        self.calls.remove(&id);
        Some(id)
    }

    /// The offer in an INVITE, or the status that it earns.
    fn examine_offer(&self, body: &Body) -> Result<SessionDescription, (u16, String)> {
        let offer = SessionDescription::parse(&body.bytes).map_err(|error| (400, error.to_string()))?;
        let anywhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
        match sdp::answer(&offer, &self.capabilities(0, anywhere), None) {
            Ok(_) => Ok(offer),
            Err(error) => Err((488, error.to_string())),
        }
    }
}
