use std::time::SystemTime;

/// A call as it went, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The name of the call, as it is listed; `None` when only its messages are left.
    pub id: Option<crate::Id>,
    /// Its Call-ID.
    pub call_id: String,
    /// Who takes part, in the order in which they first appear.
    pub parties: Vec<String>,
    /// What passed, in its order.
    pub ladder: Vec<Step>,
    /// How it ended, or how far it has come, in a sentence.
    pub how: String,
}

/// One message of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When it passed.
    pub at: SystemTime,
    /// Who sent it: one of the parties.
    pub from: String,
    /// Who it was sent to: one of the parties.
    pub to: String,
    /// What it was: `INVITE sdp`, `200 (INVITE)`.
    pub label: String,
    /// Whether it had passed before.
    pub repeated: bool,
}
