use crate::config::{CONTACTS_PER_USER, PHONES_PER_USER_MAX};
use crate::generator::{Desk, Side};
use crate::identity::Identity;
use crate::retransmit::Chain;
use crate::wording::Registration;
use crate::{Account, Failure, LoadConfig};
use bytes::Bytes;
use engine::Rng;
use sip_auth::{Credentials, Kind, NonceUse, Password, Secrets, answer};
use sip_message::{AuthValue, Message};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

/// The CSeq before a phone's first: all have as many digits, for as long as anybody runs this.
const FIRST_CSEQ: u32 = 1_000_000;

/// The phones that register.
pub(crate) struct Phones {
    account: Account,
    users: u32,
    /// Bytes of the longest name.
    longest_user: usize,
    target: SocketAddr,
    expires_s: u32,
    phones: Vec<Phone>,
    /// Phones that wait for nothing, the one that has waited longest first.
    idle: VecDeque<u32>,
    rng: Rng,
}

struct Phone {
    user: String,
    credentials: Credentials,
    nonce: NonceUse,
    cseq: u32,
    asking: Option<Asking>,
}

/// A REGISTER without its final answer.
struct Asking {
    register: Bytes,
    since: Instant,
    expires_s: u32,
}

/// A registration is over.
pub(crate) struct Registered {
    pub(crate) phone: u32,
    pub(crate) outcome: Result<(), Failure>,
    pub(crate) since: Instant,
}

impl Phones {
    pub(crate) fn new(config: &LoadConfig, account: &Account, rng: Rng) -> Phones {
        // Long enough for the run, short enough that what a killed run leaves behind is soon gone.
        let expires_s = (config.timeout.as_secs() + 60).clamp(120, 3600) as u32;
        let mut phones = Phones {
            account: account.clone(),
            users: config.users,
            longest_user: 0,
            target: config.target,
            expires_s,
            phones: Vec::new(),
            idle: VecDeque::new(),
            rng,
        };
        phones.longest_user = phones.user_name(config.users - 1).len();
        phones
    }

    /// The address-of-record of a user, counted from 0.
    pub(crate) fn aor(&self, user: u32) -> String {
        format!("sip:{}@{}", self.user_name(user), self.account.domain)
    }

    fn user_name(&self, user: u32) -> String {
        if self.users == 1 { self.account.user.clone() } else { format!("{}{user}", self.account.user) }
    }

    /// How many REGISTERs wait for their answer.
    pub(crate) fn in_progress(&self) -> usize {
        self.phones.len() - self.idle.len()
    }

    /// How many bindings there are to make, or to remove at the end.
    pub(crate) fn bindings(&self) -> u32 {
        if self.users == 1 { (self.phones.len() as u32).min(CONTACTS_PER_USER) } else { self.phones.len() as u32 }
    }

    /// One phone for each user.
    pub(crate) fn one_each(&mut self) {
        while (self.phones.len() as u32) < self.users {
            self.add();
        }
    }

    /// Registers whichever phone has waited longest. A single account gets another phone when all are busy. `false` when none is free.
    pub(crate) fn register_any(&mut self, now: Instant, desk: &mut Desk) -> bool {
        if self.idle.is_empty() && self.users == 1 && (self.phones.len() as u32) < PHONES_PER_USER_MAX {
            self.add();
        }
        let Some(index) = self.idle.front().copied() else { return false };
        self.register(now, desk, index, self.expires_s);
        true
    }

    /// Registers the phone at this index, for the first time.
    pub(crate) fn register_first(&mut self, now: Instant, desk: &mut Desk, index: u32) {
        self.register(now, desk, index, self.expires_s);
    }

    /// Removes the binding of the phone at this index.
    pub(crate) fn unregister(&mut self, now: Instant, desk: &mut Desk, index: u32) {
        self.register(now, desk, index, 0);
    }

    /// Ends all that are in progress; each counts as failed.
    pub(crate) fn cut(&mut self, desk: &mut Desk) {
        for (index, phone) in self.phones.iter_mut().enumerate() {
            if phone.asking.take().is_some() {
                self.idle.push_back(index as u32);
                desk.tally.ended(Err(Failure::Unfinished));
            }
        }
    }

    fn add(&mut self) {
        let index = self.phones.len() as u32;
        let user = self.user_name(if self.users == 1 { 0 } else { index });
        let credentials = Credentials::new(user.clone(), self.account.password.clone());
        self.phones.push(Phone { user, credentials, nonce: NonceUse::default(), cseq: FIRST_CSEQ, asking: None });
        self.idle.push_back(index);
    }

    fn register(&mut self, now: Instant, desk: &mut Desk, index: u32, expires_s: u32) {
        if self.idle.front() == Some(&index) {
            self.idle.pop_front();
        } else {
            self.idle.retain(|idle| *idle != index);
        }
        let uri = format!("sip:{}", self.account.domain);
        let phone = &mut self.phones[index as usize];
        let credentials = phone.nonce.sign(&phone.credentials, "REGISTER", &uri, b"", &mut self.rng);
        self.send(now, desk, index, Asking { register: Bytes::new(), since: now, expires_s }, credentials);
    }

    fn send(
        &mut self,
        now: Instant,
        desk: &mut Desk,
        index: u32,
        asking: Asking,
        credentials: Option<(sip_message::HeaderName, String)>,
    ) {
        let phone = &mut self.phones[index as usize];
        phone.cseq += 1;
        let register = desk.wording.register(&Registration {
            identity: Identity::Phone { index },
            user: &phone.user,
            domain: &self.account.domain,
            contact: index % CONTACTS_PER_USER,
            shorter: self.longest_user.saturating_sub(phone.user.len()),
            cseq: phone.cseq,
            expires_s: asking.expires_s,
            credentials,
        });
        desk.send(Side::Callees, self.target, register.clone());
        desk.set_phone_timer(now, Chain::Other.wait(0), index, phone.cseq, 0);
        phone.asking = Some(Asking { register, ..asking });
    }

    /// A response to a REGISTER. A challenge is answered, as long as it is not for wrong credentials.
    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        desk: &mut Desk,
        index: u32,
        response: &Message,
    ) -> Option<Registered> {
        let phone = self.phones.get_mut(index as usize)?;
        if response.status() < 200 || response.cseq().ok()?.number != phone.cseq {
            return None;
        }
        let asking = phone.asking.take()?;
        if let Some(kind) = Kind::of_status(response.status()) {
            phone.hash_password(kind, response, &self.account.password);
            let uri = format!("sip:{}", self.account.domain);
            let signed = answer(&phone.credentials, response, "REGISTER", &uri, b"", &mut phone.nonce, &mut self.rng);
            if signed.is_some() {
                self.send(now, desk, index, asking, signed);
                return None;
            }
        }
        self.idle.push_back(index);
        let outcome = if response.status() < 300 { Ok(()) } else { Err(Failure::Refused(response.status())) };
        Some(Registered { phone: index, outcome, since: asking.since })
    }

    /// A REGISTER is still unanswered.
    pub(crate) fn handle_timer(
        &mut self,
        now: Instant,
        desk: &mut Desk,
        index: u32,
        cseq: u32,
        link: u8,
    ) -> Option<Registered> {
        let phone = self.phones.get_mut(index as usize).filter(|phone| phone.cseq == cseq)?;
        let asking = phone.asking.as_ref()?;
        if Chain::Other.ends_with(link) {
            let since = asking.since;
            phone.asking = None;
            self.idle.push_back(index);
            return Some(Registered { phone: index, outcome: Err(Failure::Unanswered), since });
        }
        desk.tally.retransmissions += 1;
        desk.send(Side::Callees, self.target, asking.register.clone());
        desk.set_phone_timer(now, Chain::Other.wait(link + 1), index, cseq, link + 1);
        None
    }
}

impl Phone {
    /// Keeps the password as its hash as soon as the realm is known: it is the same work for every later REGISTER.
    fn hash_password(&mut self, kind: Kind, challenge: &Message, password: &str) {
        if matches!(self.credentials.password, Password::Hashed { .. }) {
            return;
        }
        let mut values = challenge.fields(kind.challenge_field()).filter_map(|value| AuthValue::parse(value).ok());
        let Some(realm) = values.find_map(|value| value.get("realm").map(|realm| realm.into_owned())) else { return };
        let secrets = Secrets::new(&self.user, &realm, password);
        self.credentials.password = Password::Hashed { realm, secrets };
    }
}
