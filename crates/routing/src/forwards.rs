use crate::Place;

/// Seconds after which nobody has answered, when nobody says otherwise.
pub const NO_ANSWER_AFTER_S: u32 = 20;

/// Seconds that it may ring before that at most: beyond three minutes callers' own timers end it (RFC 3261 section 16.6, timer C).
pub const NO_ANSWER_AFTER_S_MAX: u32 = 180;

/// Where calls to a user go instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwards {
    /// Every call, before anything of the user's rings.
    pub always: Option<Place>,
    /// When the user is busy (486).
    pub busy: Option<Place>,
    /// When nobody has answered after `no_answer_after_s`.
    pub no_answer: Option<Place>,
    /// How long it rings before that.
    pub no_answer_after_s: u32,
    /// When nothing of the user's is registered.
    pub not_registered: Option<Place>,
}

impl Forwards {
    /// Whether calls stay with the user.
    pub fn is_empty(&self) -> bool {
        self.places().next().is_none()
    }

    /// When, and where to; each once.
    pub fn places(&self) -> impl Iterator<Item = (&'static str, &Place)> {
        let all = [
            ("always", &self.always),
            ("busy", &self.busy),
            ("no_answer", &self.no_answer),
            ("not_registered", &self.not_registered),
        ];
        all.into_iter().filter_map(|(when, place)| place.as_ref().map(|place| (when, place)))
    }
}

impl Default for Forwards {
    /// None.
    fn default() -> Forwards {
        let no_answer_after_s = NO_ANSWER_AFTER_S;
        Forwards { always: None, busy: None, no_answer: None, no_answer_after_s, not_registered: None }
    }
}
