//! What a telephone costs that is connected over TLS and waits.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Bench, SERVER_CORE};
use crate::peers::ringback::{self, Setup};
use crate::peers::tls::Client;
use crate::process::wait_udp_free;
use crate::usage::memory_kb;

/// Connections that are measured ..
const CONNECTIONS: usize = 1000;
/// .. beside the first ones, which bring the server's pools and caches to life.
const FIRST: usize = 20;
/// The most that one may take, in kB.
pub(super) const MEMORY_KB_MAX: f64 = 20.0;
const PORT: u16 = 5061;
/// Memory is read again and again until it has been the same for this long.
const STEADY: Duration = Duration::from_millis(500);

impl Bench {
    /// The memory, in kB, that one more idle TLS connection takes of the server.
    pub(super) fn idle_tls_kb(&self) -> Result<f64> {
        let ip = self.scope.ip(2);
        wait_udp_free(&ip, 5060)?;
        let setup = Setup { name: "idle", listen: format!("tls = [\"{ip}:{PORT}\"]\n"), ..Setup::on(&ip) };
        let server = ringback::serve(&self.scope, &setup.text(&self.scope), Some(SERVER_CORE))?;
        let client = Client::new(&ip, PORT, &setup.data(&self.scope).join("tls/ca.pem"))?;
        let open = |numbers: std::ops::Range<usize>| -> Result<Vec<_>> {
            numbers
                .map(|number| client.open(number, "127.0.0.1").with_context(|| format!("connection {number}")))
                .collect()
        };
        let steady = || -> Result<u64> {
            let mut last = memory_kb(&server)?;
            loop {
                thread::sleep(STEADY);
                let now = memory_kb(&server)?;
                if now.abs_diff(last) <= last / 200 {
                    return Ok(now);
                }
                last = now;
            }
        };
        let first = open(0..FIRST)?;
        let before = steady()?;
        let all = open(FIRST..FIRST + CONNECTIONS)?;
        let after = steady()?;
        let each = after.saturating_sub(before) as f64 / all.len() as f64;
        drop((first, all));
        Ok(each)
    }
}
