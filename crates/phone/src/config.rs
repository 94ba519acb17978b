use crate::Account;
use media::Source;
use sdp::Codec;
use sip_message::Transport;
use std::time::Duration;

/// What a phone is told at its birth.
#[derive(Debug, Clone)]
pub struct Config {
    /// The accounts, [`AccountId`](crate::AccountId) by their place. None is registered until told to.
    pub accounts: Vec<Account>,
    /// The name in From and Contact of calls without an account.
    pub user: String,
    /// The transport to use where no URI names one.
    pub transport: Option<Transport>,
    /// What happens to incoming calls.
    pub answering: Answering,
    /// The codecs offered and taken, best first.
    pub codecs: Vec<Codec>,
    /// Calls at once; the next one to come in hears that we are busy.
    pub calls_max: usize,
    /// The product, for User-Agent and Server.
    pub product: String,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            accounts: Vec::new(),
            user: "ringback".to_owned(),
            transport: None,
            answering: Answering::Ring,
            codecs: Codec::ALL.to_vec(),
            calls_max: sip_ua::CALLS_MAX,
            product: concat!("Ringback/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// What happens to an incoming call that can be answered at all.
#[derive(Debug, Clone)]
pub enum Answering {
    /// It rings until a command says what to do.
    Ring,
    /// It rings for so long and is then answered; at once when `after` is zero.
    Answer {
        /// How long it rings.
        after: Duration,
        /// What the caller hears.
        play: Source,
        /// Whether to keep what the caller says.
        record: bool,
    },
    /// It is refused with this status.
    Reject(u16),
}
