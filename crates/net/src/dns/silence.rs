use hickory_resolver::proto::rr::{Name, RecordType};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Seconds for which a question that got no answer is not asked again. Some name servers never answer what they do not know, NAPTR above
/// all, and a call should wait for that once.
pub const SILENCE_S_MAX: u64 = 30;
/// Questions remembered to have got no answer; further ones are asked each time.
pub const SILENT_NAMES_MAX: usize = 1024;

/// The questions that got no answer lately.
#[derive(Debug, Default)]
pub(super) struct Silence(Mutex<HashMap<(Name, RecordType), Instant>>);

impl Silence {
    /// Whether this was asked a short time ago, in vain.
    pub(super) fn covers(&self, now: Instant, name: &Name, kind: RecordType) -> bool {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(&(name.clone(), kind)).is_some_and(|at| is_recent(now, *at))
    }

    /// This was asked in vain.
    pub(super) fn note(&self, now: Instant, name: Name, kind: RecordType) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= SILENT_NAMES_MAX {
            asked.retain(|_, at| is_recent(now, *at));
        }
        if asked.len() < SILENT_NAMES_MAX {
            asked.insert((name, kind), now);
        }
    }

    /// Whoever is asked now is somebody else.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn is_recent(now: Instant, at: Instant) -> bool {
    now.saturating_duration_since(at) < Duration::from_secs(SILENCE_S_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_remembered_for_a_while_and_of_so_many() {
        let (silence, start) = (Silence::default(), Instant::now());
        let name = |n: usize| Name::from_ascii(format!("n{n}.example.org.")).unwrap();
        for n in 0..=SILENT_NAMES_MAX {
            silence.note(start, name(n), RecordType::NAPTR);
        }
        assert!(silence.covers(start, &name(0), RecordType::NAPTR));
        assert!(!silence.covers(start, &name(0), RecordType::SRV));
        assert!(!silence.covers(start, &name(SILENT_NAMES_MAX), RecordType::NAPTR), "one too many");
        let later = start + Duration::from_secs(SILENCE_S_MAX);
        assert!(!silence.covers(later, &name(0), RecordType::NAPTR));
        silence.note(later, name(SILENT_NAMES_MAX), RecordType::NAPTR);
        assert!(silence.covers(later, &name(SILENT_NAMES_MAX), RecordType::NAPTR), "the old ones make room");
        silence.forget();
        assert!(!silence.covers(later, &name(SILENT_NAMES_MAX), RecordType::NAPTR));
    }
}
