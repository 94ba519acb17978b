//! Telephones that remember what they were promised: each REGISTER adds a contact and takes another away, and what its 200 has
//! acknowledged must be there from then on, whatever happens to the exchange.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use engine::Rng;
use serde_json::Value;

use crate::peers::PASSWORD;
use crate::peers::sip::{Challenge, Text};

/// Contacts that a telephone has at a time, before the next REGISTER takes the oldest away.
const CONTACTS: usize = 3;
/// A REGISTER without an answer is sent again after this, and then again (timer E, RFC 3261 section 17.1.2.2).
const AGAIN: Duration = Duration::from_millis(500);
/// How far the remaining time of a binding may be from what was granted: it is counted in whole seconds, on another clock.
const EXPIRES_OFF_MAX: Duration = Duration::from_secs(3);
/// What is asked for, in seconds: long enough for the whole run.
const EXPIRES_S: (u64, u64) = (3600, 7000);

/// All of them.
pub(crate) struct Phones {
    domain: String,
    /// Where they are reached: this many, by Call-ID.
    address: String,
    phones: Vec<Phone>,
    by_call_id: HashMap<String, usize>,
    next: usize,
    pub(crate) tally: Tally,
}

/// What was seen.
#[derive(Default)]
pub(crate) struct Tally {
    /// REGISTERs that got their 200.
    pub(crate) acknowledged: u64,
    /// Final answers other than 200 and challenges, by status.
    pub(crate) refused: BTreeMap<u16, u64>,
    /// What was acknowledged and then not there, or there and acknowledged as gone.
    pub(crate) faults: Vec<String>,
}

struct Phone {
    user: String,
    /// One contact that stays, or ever new ones.
    stays: bool,
    cseq: u32,
    serial: u32,
    challenge: Option<Challenge>,
    count: u32,
    /// The contacts' user parts, and until when they were granted.
    acknowledged: BTreeMap<String, Instant>,
    asking: Option<Asking>,
    /// Asked for, and refused or never answered: it may have happened or not.
    doubtful: Vec<Change>,
}

/// A REGISTER without its final answer.
struct Asking {
    bytes: Vec<u8>,
    sent: Instant,
    change: Change,
}

#[derive(Clone)]
struct Change {
    add: String,
    expires_s: u64,
    remove: Option<String>,
}

impl Phones {
    /// `users` with ever new contacts, and `callees`, whose contact stays; all at `address`.
    pub(crate) fn new(domain: &str, address: &str, users: &[String], callees: &[String]) -> Self {
        let phone = |user: &String, stays| Phone {
            user: user.clone(),
            stays,
            cseq: 0,
            serial: 0,
            challenge: None,
            count: 0,
            acknowledged: BTreeMap::new(),
            asking: None,
            doubtful: Vec::new(),
        };
        let phones: Vec<Phone> =
            callees.iter().map(|user| phone(user, true)).chain(users.iter().map(|user| phone(user, false))).collect();
        let by_call_id = phones.iter().enumerate().map(|(index, phone)| (call_id(&phone.user), index)).collect();
        Self {
            domain: domain.to_owned(),
            address: address.to_owned(),
            phones,
            by_call_id,
            next: 0,
            tally: Tally::default(),
        }
    }

    /// Whether each has at least one contact.
    pub(crate) fn all_registered(&self) -> bool {
        self.phones.iter().all(|phone| !phone.acknowledged.is_empty())
    }

    /// How many contacts were acknowledged and not taken away since.
    pub(crate) fn held(&self) -> usize {
        self.phones.iter().map(|phone| phone.acknowledged.len()).sum()
    }

    /// The next telephone that waits for nothing sends a REGISTER; nothing when all wait.
    pub(crate) fn register_next(&mut self, now: Instant, rng: &mut Rng) -> Option<Vec<u8>> {
        for _ in 0..self.phones.len() {
            self.next = (self.next + 1) % self.phones.len();
            if self.phones[self.next].asking.is_none() {
                let change = self.phones[self.next].next_change(rng);
                return Some(self.ask(now, self.next, change));
            }
        }
        None
    }

    /// What has waited too long, to be sent again.
    pub(crate) fn again(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let waiting = self.phones.iter_mut().filter_map(|phone| phone.asking.as_mut());
        let late = waiting.filter(|asking| now.saturating_duration_since(asking.sent) > AGAIN);
        late.map(|asking| {
            asking.sent = now;
            asking.bytes.clone()
        })
        .collect()
    }

    /// A response to a REGISTER; what to send next if it is a challenge.
    pub(crate) fn handle_response(&mut self, now: Instant, response: &Text<'_>) -> Option<Vec<u8>> {
        let index = *self.by_call_id.get(response.call_id())?;
        let status = response.status().filter(|status| *status >= 200)?;
        let phone = &mut self.phones[index];
        if response.cseq() != phone.cseq {
            return None;
        }
        let asking = phone.asking.take()?;
        match status {
            200 => {
                self.tally.acknowledged += 1;
                phone.apply(now, &asking.change);
                let listed: Vec<&str> = response.all("Contact").collect();
                for contact in phone.acknowledged.keys() {
                    if !listed.iter().any(|value| value.contains(&format!("sip:{contact}@"))) {
                        self.tally.faults.push(format!("a 200 lists {listed:?} without {contact}"));
                    }
                }
            }
            401 => {
                phone.challenge = Challenge::of(response);
                phone.count = 0;
                return Some(self.ask(now, index, asking.change));
            }
            _ => {
                *self.tally.refused.entry(status).or_default() += 1;
                phone.doubtful.push(asking.change);
            }
        }
        None
    }

    fn ask(&mut self, now: Instant, index: usize, change: Change) -> Vec<u8> {
        let Self { domain, address, .. } = self;
        let phone = &mut self.phones[index];
        phone.cseq += 1;
        let (user, cseq, id) = (&phone.user, phone.cseq, call_id(&phone.user));
        let mut text = format!(
            "REGISTER sip:{domain} SIP/2.0\r\nVia: SIP/2.0/UDP {address};rport;branch=z9hG4bK{id}{cseq}\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@{domain}>;tag={user}\r\nTo: <sip:{user}@{domain}>\r\nCall-ID: {id}\r\nCSeq: {cseq} REGISTER\r\n\
             Contact: <sip:{}@{address}>;expires={}\r\n",
            change.add, change.expires_s
        );
        if let Some(remove) = &change.remove {
            text += &format!("Contact: <sip:{remove}@{address}>;expires=0\r\n");
        }
        if let Some(challenge) = &phone.challenge {
            phone.count += 1;
            let answer = challenge.answer(user, PASSWORD, "REGISTER", &format!("sip:{domain}"), phone.count);
            text += &format!("Authorization: {answer}\r\n");
        }
        let bytes = (text + "Content-Length: 0\r\n\r\n").into_bytes();
        phone.asking = Some(Asking { bytes: bytes.clone(), sent: now, change });
        bytes
    }

    /// Compares with the lines of `ringback reg ls --json`, and takes what is there for what is true where it was doubtful. Returns how
    /// many acknowledged contacts were lost.
    pub(crate) fn compare(&mut self, now: Instant, listed: &str) -> Result<u64> {
        let mut there: HashMap<String, BTreeMap<String, u64>> = HashMap::new();
        for line in listed.lines() {
            let value: Value = serde_json::from_str(line).with_context(|| format!("reg ls printed {line}"))?;
            let user = |key: &str| {
                let uri = value[key].as_str().unwrap_or_default();
                uri.trim_start_matches("sip:").split('@').next().unwrap_or_default().to_owned()
            };
            let expires_s = value["expires_in_s"].as_u64().context("no expires_in_s")?;
            there.entry(user("aor")).or_default().insert(user("contact"), expires_s);
        }
        let mut lost = 0;
        for phone in &mut self.phones {
            let there = there.remove(&phone.user).unwrap_or_default();
            let faults = phone.compare(now, &there);
            lost += faults.iter().filter(|fault| fault.contains("lost")).count() as u64;
            self.tally.faults.extend(faults);
        }
        Ok(lost)
    }
}

impl Phone {
    fn next_change(&mut self, rng: &mut Rng) -> Change {
        let expires_s = EXPIRES_S.0 + rng.below(EXPIRES_S.1 - EXPIRES_S.0);
        if self.stays {
            return Change { add: self.user.clone(), expires_s, remove: None };
        }
        self.serial += 1;
        // (Serial numbers have five digits, so that their order is that of time.)
        let oldest = self.acknowledged.keys().next().filter(|_| self.acknowledged.len() >= CONTACTS);
        Change { add: format!("{}-{:05}", self.user, self.serial), expires_s, remove: oldest.cloned() }
    }

    fn apply(&mut self, now: Instant, change: &Change) {
        self.acknowledged.insert(change.add.clone(), now + Duration::from_secs(change.expires_s));
        if let Some(remove) = &change.remove {
            self.acknowledged.remove(remove);
        }
    }

    fn compare(&mut self, now: Instant, there: &BTreeMap<String, u64>) -> Vec<String> {
        let mut faults = Vec::new();
        let asking = self.asking.take().map(|asking| asking.change);
        let doubtful: Vec<Change> = self.doubtful.drain(..).chain(asking).collect();
        let may_be_gone = |contact: &String| doubtful.iter().any(|change| change.remove.as_ref() == Some(contact));
        let may_be_there = |contact: &String| doubtful.iter().find(|change| change.add == *contact);
        for (contact, until) in &self.acknowledged {
            match there.get(contact) {
                None if may_be_gone(contact) => {}
                None => faults.push(format!("lost: {contact}")),
                // A refresh that may have happened has granted another time.
                Some(_) if may_be_there(contact).is_some() => {}
                Some(expires_s) => {
                    let (is, was) = (now + Duration::from_secs(*expires_s), *until);
                    if is.max(was).duration_since(is.min(was)) > EXPIRES_OFF_MAX {
                        let left = was.saturating_duration_since(now).as_secs();
                        faults.push(format!("{contact} has {expires_s} s left instead of {left}"));
                    }
                }
            }
        }
        for contact in there.keys().filter(|contact| !self.acknowledged.contains_key(*contact)) {
            if may_be_there(contact).is_none() {
                faults.push(format!("{contact} is back after its removal was acknowledged"));
            }
        }
        self.acknowledged = there.iter().map(|(contact, s)| (contact.clone(), now + Duration::from_secs(*s))).collect();
        faults
    }
}

fn call_id(user: &str) -> String {
    format!("torment-{user}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(acknowledged: &[&str], now: Instant) -> Phone {
        let users = [String::from("u")];
        let mut phones = Phones::new("d", "a", &users, &[]);
        let mut phone = phones.phones.remove(0);
        let until = now + Duration::from_secs(60);
        phone.acknowledged = acknowledged.iter().map(|contact| ((*contact).to_owned(), until)).collect();
        phone
    }

    fn listed(contacts: &[(&str, u64)]) -> BTreeMap<String, u64> {
        contacts.iter().map(|(contact, s)| ((*contact).to_owned(), *s)).collect()
    }

    #[test]
    fn what_was_acknowledged_must_be_there_with_its_time() {
        let now = Instant::now();
        assert!(phone(&["a"], now).compare(now, &listed(&[("a", 59)])).is_empty());
        assert_eq!(phone(&["a"], now).compare(now, &listed(&[])), ["lost: a"]);
        assert_eq!(phone(&["a"], now).compare(now, &listed(&[("a", 30)])).len(), 1);
        assert_eq!(phone(&[], now).compare(now, &listed(&[("a", 60)])).len(), 1);
    }

    #[test]
    fn what_was_asked_and_not_answered_may_have_happened_or_not() {
        let now = Instant::now();
        let change = Change { add: "b".into(), expires_s: 60, remove: Some("a".into()) };
        for there in [listed(&[("a", 60)]), listed(&[("b", 60)])] {
            let mut phone = phone(&["a"], now);
            phone.doubtful.push(change.clone());
            assert!(phone.compare(now, &there).is_empty());
            assert_eq!(phone.acknowledged.len(), 1);
        }
    }
}
