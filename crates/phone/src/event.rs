use crate::{AccountId, CallId, RequestNumber};
use media::{DigitError, Report};
use sdp::Codec;
use sip_message::{HeaderName, Message};
use sip_ua::{End, Failure, Party};
use std::net::SocketAddr;

/// What the user is told.
///
/// The life of a call that was dialled: `Ringing`, `EarlyMedia` (each perhaps, perhaps often), then `Failed`, or `Answered` and what happens
/// in a call, `Media`, `Ended`. Of one that came in: `Incoming`, perhaps `Answered`, .., `Media`, `Ended`. `Failed` and `Ended` are the last word.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A registration is in force.
    RegistrationOk {
        /// Whose.
        account: AccountId,
        /// For how long, until it is refreshed.
        expires_s: u32,
    },
    /// A registration was not accepted.
    RegistrationFailed {
        /// Whose.
        account: AccountId,
        /// Why.
        failure: Failure,
        /// When it is tried again; `None` when that would not help.
        retry_s: Option<u64>,
    },
    /// A registration was taken back.
    Unregistered {
        /// Whose.
        account: AccountId,
        /// Whether the registrar agreed; if not, it keeps the binding until that expires.
        outcome: Result<(), Failure>,
    },
    /// Somebody calls. It rings there, unless the phone is to refuse.
    Incoming {
        /// The call.
        call: CallId,
        /// Who says to be calling.
        from: Party,
        /// Whom they called: the Request-URI.
        uri: String,
        /// Where the INVITE came from.
        source: SocketAddr,
    },
    /// It rings at the callee's, or whatever else the status says (101 to 199).
    Ringing {
        /// Which call.
        call: CallId,
        /// 180, 181, 183 ..
        status: u16,
    },
    /// Sound flows before the call is answered.
    EarlyMedia {
        /// Which call.
        call: CallId,
    },
    /// The call is answered, by them or by us, and sound flows.
    Answered {
        /// Which call.
        call: CallId,
        /// What we send; `None` while the caller has yet to say what it takes.
        codec: Option<Codec>,
    },
    /// The first sound came.
    Heard {
        /// In which call.
        call: CallId,
        /// Where from.
        from: SocketAddr,
    },
    /// The peer pressed a key.
    Dtmf {
        /// In which call.
        call: CallId,
        /// Which key.
        digit: char,
    },
    /// A key was not sent.
    DtmfRefused {
        /// In which call.
        call: CallId,
        /// Which key.
        digit: char,
        /// Why.
        why: DigitError,
    },
    /// What was to be played has been played.
    Played {
        /// In which call.
        call: CallId,
    },
    /// Sound cannot flow; the call is ended or refused.
    NoMedia {
        /// In which call.
        call: CallId,
        /// Why, for a person.
        why: String,
    },
    /// How the sound of a call was, when it ends.
    Media {
        /// Which call.
        call: CallId,
        /// The figures.
        report: Report,
        /// What was heard, when it was to be kept: 16-bit samples at 8 kHz.
        recording: Vec<i16>,
    },
    /// A call that was dialled came to nothing.
    Failed {
        /// Which call.
        call: CallId,
        /// Why.
        failure: Failure,
    },
    /// A call is over.
    Ended {
        /// Which call.
        call: CallId,
        /// Who ended it, and why.
        end: End,
    },
    /// What came of an OPTIONS or a MESSAGE.
    Replied {
        /// Which one.
        request: RequestNumber,
        /// The final response, whatever its status, or why there is none.
        outcome: Result<Reply, Failure>,
    },
    /// Somebody sent a text.
    Message {
        /// Who says to have sent it.
        from: Party,
        /// What it says.
        text: String,
    },
}

/// A final response to an OPTIONS or a MESSAGE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// The words beside it.
    pub reason: String,
    /// Allow: the methods that the other end understands.
    pub allow: Option<String>,
    /// Accept: the bodies that it understands.
    pub accept: Option<String>,
    /// Server or User-Agent: what it says to be.
    pub product: Option<String>,
}

impl Reply {
    pub(crate) fn of(message: &Message) -> Reply {
        let list = |name| {
            let values: Vec<&str> = message.fields(name).collect();
            (!values.is_empty()).then(|| values.join(", "))
        };
        Reply {
            status: message.status(),
            reason: message.reason().to_owned(),
            allow: list(HeaderName::Allow),
            accept: list(HeaderName::Accept),
            product: list(HeaderName::Server).or_else(|| list(HeaderName::UserAgent)),
        }
    }
}
