use crate::AccountId;
use media::Source;

/// A call: by the number that whoever dialled chose, or by ours when it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallId {
    /// Dialled here.
    Placed(u32),
    /// Came in.
    Incoming(u32),
}

/// An OPTIONS or MESSAGE of the user's, by a number of the user's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestNumber(pub u32);

/// What the user wants. A command for a call that is over, or for which it makes no sense, does nothing: calls end at any time.
#[derive(Debug, Clone)]
pub enum Command {
    /// Register an account, and keep it registered.
    Register {
        /// Which one.
        account: AccountId,
        /// For how long at a time.
        expires_s: u32,
    },
    /// Take a registration back.
    Unregister {
        /// Which one.
        account: AccountId,
    },
    /// Call somebody.
    Dial(Dial),
    /// Answer a call that rings.
    Answer {
        /// Which one.
        call: CallId,
        /// What the caller hears.
        play: Source,
        /// Whether to keep what the caller says.
        record: bool,
    },
    /// Refuse a call that rings.
    Reject {
        /// Which one.
        call: CallId,
        /// 300 to 699: 486 busy here, 603 declined everywhere, ..
        status: u16,
    },
    /// End a call: CANCEL, 603 or BYE, as its state demands.
    Hangup {
        /// Which one.
        call: CallId,
    },
    /// Play something else.
    Play {
        /// In which call.
        call: CallId,
        /// What the peer hears from now on.
        play: Source,
    },
    /// Press keys (RFC 4733).
    SendDtmf {
        /// In which call.
        call: CallId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digits: String,
    },
    /// Ask what somebody can do (RFC 3261 section 11).
    Options {
        /// The number of the answer.
        request: RequestNumber,
        /// Whom.
        uri: String,
        /// As whom.
        account: Option<AccountId>,
    },
    /// Send somebody a text (RFC 3428).
    Message {
        /// The number of the answer.
        request: RequestNumber,
        /// Whom.
        uri: String,
        /// As whom.
        account: Option<AccountId>,
        /// What it says.
        text: String,
    },
}

/// Whom to call, and what they hear.
#[derive(Debug, Clone)]
pub struct Dial {
    /// The number that the call gets, [`CallId::Placed`]; one that is in use is not dialled again.
    pub call: u32,
    /// A SIP URI, `user@host`, or with an account the name alone.
    pub uri: String,
    /// As whom, and by way of whose exchange.
    pub account: Option<AccountId>,
    /// What the callee hears.
    pub play: Source,
    /// Whether to keep what the callee says.
    pub record: bool,
}
