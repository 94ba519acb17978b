use bytes::Bytes;
use sip_message::Message;
use std::time::Duration;

/// What becomes of a message on its way, when the ladder says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It never arrives, and its sender does not know.
    Lost,
    /// It arrives twice.
    Twice,
    /// It cannot be sent, and its sender is told.
    Refused,
    /// It hangs; whether it can be sent is told when the ladder says `refuses`.
    Stuck,
}

impl Fate {
    pub(crate) fn parse(text: &str) -> Option<Fate> {
        match text {
            "lost" => Some(Fate::Lost),
            "twice" => Some(Fate::Twice),
            "refused" => Some(Fate::Refused),
            "stuck" => Some(Fate::Stuck),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Fate::Lost => "lost",
            Fate::Twice => "twice",
            Fate::Refused => "refused",
            Fate::Stuck => "stuck",
        }
    }
}

/// One message, when it was sent.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Since the beginning.
    pub at: Duration,
    /// Who sent it.
    pub from: String,
    /// To whom.
    pub to: String,
    /// Over a stream.
    pub stream: bool,
    /// The message, as far as it is one.
    pub bytes: Bytes,
    /// What became of it, if not simply its arrival.
    pub fate: Option<Fate>,
}

impl Entry {
    /// The message.
    pub fn message(&self) -> Option<Message> {
        Message::parse(self.bytes.clone()).ok()
    }

    /// The method of a request, the status and method of a response: `INVITE`, `200 BYE`.
    pub fn what(&self) -> String {
        what(&self.bytes)
    }
}

/// The method of a request, the status and method of a response; of anything else the first word.
pub(crate) fn what(bytes: &Bytes) -> String {
    match Message::parse(bytes.clone()) {
        Ok(message) if message.is_request() => message.method_text().to_owned(),
        Ok(message) => format!("{} {}", message.status(), message.method_text()),
        Err(malformed) => match malformed.request().map(|partial| (partial.status(), partial.cseq())) {
            // An answer to a request that lacked what answers copy.
            Some((status @ 1.., Ok(cseq))) => format!("{status} {}", cseq.method_text),
            _ => String::from_utf8_lossy(bytes).split([' ', '\r', '\n']).next().unwrap_or("").to_owned(),
        },
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let arrow = if self.stream { "=>" } else { "->" };
        write!(f, "{:>6} {} {arrow} {}  {}", self.at.as_millis(), self.from, self.to, self.what())?;
        if let Some(fate) = self.fate {
            write!(f, " ; {}", fate.as_str())?;
        }
        Ok(())
    }
}
