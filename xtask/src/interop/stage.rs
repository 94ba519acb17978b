//! What scenarios share: the exchange set up for a transport, and calls between ends that follow scripts.

use std::time::Duration;

use anyhow::{Context, Result};

use super::World;
use crate::peers::ringback::{self, Setup};
use crate::peers::sipp::{self, End, Script};
use crate::process::{Process, tail};

/// A scripted call is over within this, its retransmissions included.
pub(super) const CALL: Duration = Duration::from_secs(40);
/// The host numbers of the caller, and of carol.
pub(super) const CALLER: u8 = 2;
pub(super) const CAROL: u8 = 3;

/// An exchange through which carol is reached over one transport.
pub(super) struct Stage<'a> {
    pub(super) world: &'a World,
    pub(super) exchange: Process,
    pub(super) transport: &'static str,
    /// Carol, as her callers know her.
    pub(super) uri: String,
    /// Who calls; `None`: somebody from elsewhere.
    pub(super) from: Option<String>,
}

impl<'a> Stage<'a> {
    /// Over UDP, carol is registered. Over TCP she accepts connections, so the exchange, which lets everybody call anywhere, opens one.
    pub(super) fn set(world: &'a World, transport: &'static str) -> Result<Self> {
        Self::set_with(world, transport, if transport == "tcp" { "[auth]\nrequired = false\n" } else { "" })
    }

    /// The same where alice calls, who must prove who she is.
    pub(super) fn set_for_alice(world: &'a World, transport: &'static str) -> Result<Self> {
        let from = Some(format!("alice@{}", world.exchange_ip()));
        Ok(Self { from, ..Self::set_with(world, transport, "")? })
    }

    fn set_with(world: &'a World, transport: &'static str, more: &str) -> Result<Self> {
        let exchange = world.start_with(more)?;
        let ip = world.scope.ip(CAROL);
        let uri = if transport == "tcp" {
            format!("sip:carol@{ip}:5060;transport=tcp")
        } else {
            sipp::register_ok(&world.scope, &world.exchange_ip(), "carol", &ip, &format!("{ip}:5060"))?;
            format!("sip:carol@{}", world.exchange_ip())
        };
        Ok(Self { world, exchange, transport, uri, from: None })
    }

    /// One call of carol's; both ends must see exactly what their scripts say.
    pub(super) fn call(&self, caller: &str, carol: &str) -> Result<()> {
        let mut callee = self.end(CAROL, "carol", carol)?;
        let mut caller = self.end(CALLER, "caller", caller)?;
        let called = caller.finish(&self.world.scope, CALL);
        self.explain(called)?;
        let answered = callee.finish(&self.world.scope, CALL);
        self.explain(answered)
    }

    /// One end that plays `lines` once.
    pub(super) fn end(&self, host: u8, name: &str, lines: &str) -> Result<End> {
        let ip = self.world.scope.ip(host);
        let from = self.from.clone().unwrap_or_else(|| format!("sipp@{ip}"));
        let script = Script { name, uri: &self.uri, from: &from, lines };
        let exchange = format!("{}:5060", self.world.exchange_ip());
        let mut arguments = vec!["-m", "1"];
        if !script.answers() {
            arguments.push(&exchange);
        }
        End::start(&self.world.scope, &ip, self.transport, &script, &arguments)
    }

    /// Adds what the exchange said to what went wrong.
    pub(super) fn explain<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome.with_context(|| format!("the exchange said:\n{}", tail(&self.exchange.stderr())))
    }
}

impl World {
    /// Starts Ringback with further sections in its configuration.
    pub(super) fn start_with(&self, more: &str) -> Result<Process> {
        let ip = self.exchange_ip();
        ringback::start(&self.scope, &Setup { more: more.to_owned(), ..Setup::on(&ip) })
    }
}
