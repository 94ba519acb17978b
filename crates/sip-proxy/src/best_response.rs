use bytes::Bytes;
use sip_message::{HeaderName, Message};

/// The final responses of all branches so far, boiled down to what can still matter (RFC 3261 section 16.7 items 5 to 7).
#[derive(Debug, Default)]
pub(crate) struct BestResponse {
    best: Option<Candidate>,
    /// Challenges of the 401s and 407s of all branches: the answer carries every one (item 7).
    challenges: Vec<(HeaderName, String)>,
}

/// A final response of a branch; `message: None` stands for a timeout or a hop that could not be reached.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) status: u16,
    pub(crate) message: Option<Message>,
    /// What we say ourselves, whole.
    pub(crate) own: Option<Bytes>,
}

impl Candidate {
    pub(crate) fn new(status: u16, message: Option<Message>) -> Candidate {
        Candidate { status, message, own: None }
    }
}

/// Challenges that one answer gathers from its branches.
const CHALLENGES_MAX: usize = 16;

impl BestResponse {
    pub(crate) fn add(&mut self, candidate: Candidate) {
        if let (401 | 407, Some(message)) = (candidate.status, &candidate.message) {
            for name in [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate] {
                self.challenges.extend(message.fields(name).map(|value| (name, value.to_owned())));
            }
            self.challenges.truncate(CHALLENGES_MAX);
        }
        if self.best.as_ref().is_none_or(|best| rank(candidate.status) < rank(best.status)) {
            self.best = Some(candidate);
        }
    }

    /// The status of the response that would be passed on now.
    pub(crate) fn status(&self) -> Option<u16> {
        self.best.as_ref().map(|best| best.status)
    }

    /// The response to pass on, and the challenges of other branches to add to it.
    pub(crate) fn take(&mut self) -> (Option<Candidate>, Vec<(HeaderName, String)>) {
        let best = self.best.take();
        let mut challenges = std::mem::take(&mut self.challenges);
        match best
            .as_ref()
            .and_then(|best| best.message.as_ref())
            .filter(|message| matches!(message.status(), 401 | 407))
        {
            Some(message) => challenges.retain(|(name, value)| message.fields(*name).all(|own| own != value)),
            None => challenges.clear(),
        }
        (best, challenges)
    }
}

/// Less is better: a 6xx, then the lowest class; among 4xx those that tell how to try again; a 503 speaks of one hop only.
fn rank(status: u16) -> (u16, u16) {
    match status {
        600..=699 => (0, 0),
        401 | 407 | 415 | 420 | 484 => (status / 100, 0),
        408 | 430 | 480 => (status / 100, 2),
        503 => (status / 100, 2),
        _ => (status / 100, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 section 16.7 item 6, as pairs: the left one wins, whichever came first.
    #[test]
    fn the_best_of_two() {
        for (winner, loser) in [
            (603, 200),
            (600, 302),
            (302, 404),
            (404, 500),
            (407, 404),
            (484, 486),
            (486, 408),
            (500, 503),
            (486, 500),
            (401, 486),
            (486, 480),
        ] {
            for order in [[winner, loser], [loser, winner]] {
                let mut best = BestResponse::default();
                order.into_iter().for_each(|status| best.add(Candidate::new(status, None)));
                assert_eq!(best.take().0.map(|best| best.status), Some(winner), "{winner} against {loser}");
            }
        }
    }

    #[test]
    fn challenges_have_a_limit() {
        let fields: String = (0..CHALLENGES_MAX + 4).map(|n| format!("WWW-Authenticate: x a={n}\r\n")).collect();
        let response = |fields: &str| {
            let text = format!(
                "SIP/2.0 401 U\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n{fields}\r\n"
            );
            Message::parse(text.into()).expect("well-formed")
        };
        let mut best = BestResponse::default();
        best.add(Candidate::new(401, Some(response(""))));
        best.add(Candidate::new(401, Some(response(&fields))));
        assert_eq!(best.take().1.len(), CHALLENGES_MAX);
    }
}
