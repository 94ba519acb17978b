use std::fmt::Write as _;
use std::time::Duration;

/// What a source has done that counts against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offence {
    /// It has tried to prove who it is, and failed.
    WrongCredentials,
    /// It has asked for a user who does not exist, without having proved who it is.
    UnknownUser,
    /// What it sent is no message.
    Malformed,
    /// It calls itself by the name of a tool that looks for other people's exchanges.
    Scanner,
}

impl Offence {
    /// The weight of a wrong password, of which [`crate::Config::failures_max`] earn a ban.
    pub(crate) const UNIT: u32 = 4;

    /// How much it counts, in quarters of a wrong password: a broken device sends senseless messages for years, and harms nobody.
    /// `None`: it earns a ban at once.
    pub fn weight(self) -> Option<u32> {
        match self {
            Offence::WrongCredentials | Offence::UnknownUser => Some(Offence::UNIT),
            Offence::Malformed => Some(1),
            Offence::Scanner => None,
        }
    }

    /// Whether it took an answer of ours to commit it. Anybody can send a datagram that bears somebody else's address; one with our own
    /// nonce in it takes more than that.
    pub(crate) fn is_hard_to_forge(self) -> bool {
        self == Offence::WrongCredentials
    }
}

/// How often a source has done what within the window. Scanners are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Offences([u16; 3]);

impl Offences {
    pub(crate) fn is_empty(self) -> bool {
        self == Offences::default()
    }

    /// One more; tells the weight of all.
    pub(crate) fn add(&mut self, offence: Offence) -> u32 {
        let place = match offence {
            Offence::WrongCredentials => 0,
            Offence::UnknownUser => 1,
            Offence::Malformed => 2,
            Offence::Scanner => return u32::MAX,
        };
        self.0[place] = self.0[place].saturating_add(1);
        let all = [Offence::WrongCredentials, Offence::UnknownUser, Offence::Malformed];
        all.iter().zip(self.0).map(|(offence, count)| offence.weight().unwrap_or(0) * u32::from(count)).sum()
    }

    /// What has been done, for the operator: "20 wrong passwords within 10 minutes".
    pub(crate) fn words(self, last: Offence, window: Duration) -> String {
        if last == Offence::Scanner {
            return "calls itself by the name of a scanner".to_owned();
        }
        let names = [
            ("wrong password", "wrong passwords"),
            ("request for a user that does not exist", "requests for users that do not exist"),
            ("message that is none", "messages that are none"),
        ];
        let mut words = String::new();
        for ((one, many), count) in names.into_iter().zip(self.0).filter(|(_, count)| *count > 0) {
            let joint = if words.is_empty() { "" } else { " and " };
            let _ = write!(words, "{joint}{count} {}", if count == 1 { one } else { many });
        }
        format!("{words} within {}", span(window))
    }
}

/// A length of time in the largest unit that needs no fraction.
fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let (count, unit) = match seconds {
        s if s >= 3600 && s.is_multiple_of(3600) => (s / 3600, "hour"),
        s if s >= 60 && s.is_multiple_of(60) => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_says_in_words_what_it_is_for() {
        let words = |offences: &[Offence], window_s| {
            let mut all = Offences::default();
            for offence in offences {
                all.add(*offence);
            }
            all.words(offences[offences.len() - 1], Duration::from_secs(window_s))
        };
        use Offence::{Malformed, Scanner, UnknownUser, WrongCredentials};
        assert_eq!(words(&[WrongCredentials; 20], 600), "20 wrong passwords within 10 minutes");
        assert_eq!(words(&[UnknownUser; 20], 3600), "20 requests for users that do not exist within 1 hour");
        assert_eq!(
            words(&[WrongCredentials, WrongCredentials, UnknownUser], 90),
            "2 wrong passwords and 1 request for a user that does not exist within 90 seconds"
        );
        assert_eq!(words(&[Malformed; 80], 7200), "80 messages that are none within 2 hours");
        assert_eq!(words(&[WrongCredentials, Scanner], 600), "calls itself by the name of a scanner");
    }
}
