use crate::LoadError;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Calls or registrations that may be in progress at a time.
pub const CONCURRENT_MAX: u32 = 1_000_000;

/// Accounts that may be used.
pub const USERS_MAX: u32 = 1_000_000;

/// Calls or registrations begun in a second.
pub const RATE_MAX: f64 = 1_000_000.0;

/// Contacts that one account registers, when it is the only one: what a registrar grants at least.
pub const CONTACTS_PER_USER: u32 = 10;

/// Phones that share one account, when it is the only one: as many of its registrations can be in progress at a time.
pub const PHONES_PER_USER_MAX: u32 = 1000;

/// What is done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// A call: INVITE, 180, 200, ACK, a while of nothing, BYE, 200.
    Call,
    /// A registration: REGISTER with the nonce known from last time, 200; with a challenge in between when there is none yet.
    Register,
}

impl Scenario {
    /// The scenario with this name on the command line.
    pub fn parse(name: &str) -> Option<Scenario> {
        [Scenario::Call, Scenario::Register].into_iter().find(|scenario| scenario.as_str() == name)
    }

    /// The name on the command line and in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Scenario::Call => "call",
            Scenario::Register => "register",
        }
    }
}

/// Who registers: the `USER:PASS@DOMAIN` of the command line (the password is not in its `Debug`).
#[derive(Clone)]
pub struct Account {
    /// The user's name; with several users, what their names begin with.
    pub user: String,
    /// The password, the same for all of them.
    pub password: String,
    /// The domain of their addresses-of-record.
    pub domain: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).field("domain", &self.domain).finish_non_exhaustive()
    }
}

/// What to do, to whom, how fast and for how long.
#[derive(Debug, Clone)]
pub struct LoadConfig {
    /// What is done.
    pub scenario: Scenario,
    /// Where everything is sent, over UDP.
    pub target: SocketAddr,
    /// Who registers; the registered contact is also who is called. `None`: nobody registers, and the target answers calls itself.
    pub account: Option<Account>,
    /// How many accounts: with 1 it is the named one, else `USER0`, `USER1` and so on. Calls go to them in turns.
    pub users: u32,
    /// The user part that is called at the target when there is no account.
    pub callee: String,
    /// Calls or registrations begun in a second, evenly spaced.
    pub rate: f64,
    /// Calls or registrations in progress at a time; no new ones are begun beyond. `None`: three times what the rate and the hold
    /// time make, as in sipp.
    pub concurrent: Option<u32>,
    /// Calls or registrations altogether.
    pub total: u64,
    /// From the ACK to the BYE.
    pub hold: Duration,
    /// After this the run ends whatever is still in progress, which counts as failed.
    pub timeout: Duration,
    /// The local address to use; `None`: the one that the system would use towards the target.
    pub bind: Option<IpAddr>,
}

impl LoadConfig {
    /// How many may be in progress at a time.
    pub(crate) fn concurrent(&self) -> u32 {
        let hold_s = match self.scenario {
            Scenario::Call => self.hold.as_secs_f64() + 1.0,
            Scenario::Register => 1.0,
        };
        self.concurrent.unwrap_or((3.0 * self.rate * hold_s) as u32 + 1).clamp(1, CONCURRENT_MAX)
    }

    /// Refuses what cannot be done.
    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let wrong = |what| Err(LoadError::Config(what));
        if !(self.rate > 0.0 && self.rate <= RATE_MAX) {
            return wrong("the rate must be above 0 and at most 1000000");
        }
        if self.concurrent.is_some_and(|limit| limit == 0 || limit > CONCURRENT_MAX) {
            return wrong("the number in progress must be from 1 to 1000000");
        }
        if self.users == 0 || self.users > USERS_MAX {
            return wrong("the number of users must be from 1 to 1000000");
        }
        if self.total == 0 {
            return wrong("the total must be at least 1");
        }
        if self.account.is_none() && self.scenario == Scenario::Register {
            return wrong("who registers? give --as USER:PASSWORD@DOMAIN");
        }
        if self.bind.is_some_and(|ip| ip.is_ipv4() != self.target.is_ipv4()) {
            return wrong("the local address and the target are not of the same IP version");
        }
        let texts = self.account.iter().flat_map(|account| [&account.user, &account.domain]).chain([&self.callee]);
        if texts.into_iter().any(|text| text.is_empty() || text.contains(|c: char| c <= ' ' || "<>\"@".contains(c))) {
            return wrong("names and domains are one word each");
        }
        Ok(())
    }
}
