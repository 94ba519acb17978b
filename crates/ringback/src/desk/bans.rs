use super::{Desk, Values, done};
use crate::exchange::Gate;
use crate::exit::Failure;
use crate::moment::rfc3339;
use engine::{Network, Now};
use guard::Ban;
use serde_json::json;
use std::time::Duration;
use store::Write;

/// For how long somebody can be banned by command (ten years).
const BAN_S_MAX: u64 = 10 * 365 * 86_400;

impl Desk {
    pub(super) fn list_bans(&self) -> Result<Values, Failure> {
        let now = Now::read_clocks();
        let bans = match self.live {
            Some(_) => self.gate()?.bans(now),
            // Which of them are in force is for the exchange to say, whose configuration may be another one.
            None => {
                let stored = self.store().bans();
                stored.iter().filter(|ban| ban.until > now.wall).cloned().collect()
            }
        };
        Ok(Box::new(bans.into_iter().map(|ban| {
            json!({
                "source": ban.network.to_string(),
                "until": rfc3339(ban.until),
                "why": ban.why,
                "times": ban.times,
            })
        })))
    }

    pub(super) async fn ban(&self, source: &str, for_s: u64, why: &str) -> Result<Values, Failure> {
        let (network, now) = (network(source)?, Now::read_clocks());
        if !(1..=BAN_S_MAX).contains(&for_s) {
            return Err(Failure::usage("a ban lasts from a second to ten years"));
        }
        let until = now.wall + Duration::from_secs(for_s);
        let gate = self.gate()?;
        gate.ban(now, network, until, why)
            .map_err(|error| Failure::negative(format!("{network} cannot be banned: {error}")))?;
        // The gate has only queued it.
        let times = gate.bans(now).iter().find(|ban| ban.network == network).map_or(1, |ban| ban.times);
        self.write(Write::Ban(Box::new(Ban { network, until, why: why.to_owned(), times }))).await?;
        done()
    }

    pub(super) async fn unban(&self, source: &str) -> Result<Values, Failure> {
        let network = network(source)?;
        let was_stored = self.store().bans().iter().any(|ban| ban.network == network);
        let was_in_force = self.gate()?.unban(Now::read_clocks(), network);
        // The gate has only queued it.
        self.write(Write::Unban(network)).await?;
        if !was_stored && !was_in_force {
            return Err(Failure::negative(format!("{network} is not banned; `ringback ban ls` has those that are")));
        }
        done()
    }
}

impl Desk {
    fn gate(&self) -> Result<&Gate, Failure> {
        self.world.gate.as_deref().ok_or_else(|| Failure::negative("this exchange lets everybody in"))
    }
}

fn network(text: &str) -> Result<Network, Failure> {
    Network::parse(text).map_err(|wanted| Failure::usage(format!("{text:?} cannot be banned: {wanted} is needed")))
}
