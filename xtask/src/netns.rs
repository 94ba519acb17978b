//! Network namespaces: a loopback interface of one's own, or a street with an exchange at one end and everybody else at the other.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace of ours, gone when the value is dropped.
pub(crate) struct Netns(String);

impl Netns {
    /// One with nothing but a loopback interface; `name` is made unique by the process.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let name = format!("ringback-{}-{name}", std::process::id());
        run("ip", &["netns", "add", &name])?;
        let net = Self(name);
        net.run("ip", &["link", "set", "lo", "up"])?;
        Ok(net)
    }

    /// What `ip netns` knows it by.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Runs a program there to its end; what it printed. An error if it fails.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut all = vec!["netns", "exec", &self.0, program];
        all.extend(arguments);
        run("ip", &all)
    }

    /// Does something there in a thread of its own: sockets that it opens stay there.
    pub(crate) fn within<T: Send>(&self, there: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = format!("/run/netns/{}", self.0);
        let net = File::open(&path).with_context(|| format!("opening {path}"))?;
        std::thread::scope(|threads| {
            let thread = threads.spawn(|| {
                move_into_link_name_space(net.as_fd(), Some(LinkNameSpaceType::Network))?;
                there()
            });
            thread.join().map_err(|_| anyhow!("a thread in a network namespace panicked"))?
        })
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let _ = run("ip", &["netns", "del", &self.0]);
    }
}

/// Two namespaces with a cable between them: what arrives at the exchange has come over a network, from addresses that are not its own.
pub(crate) struct Street {
    pub(crate) exchange: Netns,
    pub(crate) others: Netns,
}

impl Street {
    /// Everybody's first three numbers (RFC 5737).
    const NET: &str = "192.0.2";
    /// The number of the address from which programs send that choose none.
    pub(crate) const STRANGER: u8 = 254;

    /// `index` tells the streets of one run apart.
    pub(crate) fn new(index: u8) -> Result<Self> {
        let (exchange, others) = (Netns::new(&format!("{index}-exchange"))?, Netns::new(&format!("{index}-others"))?);
        exchange
            .run("ip", &["link", "add", "street", "type", "veth", "peer", "name", "street", "netns", others.name()])?;
        exchange.run("ip", &["address", "add", &format!("{}/24", Self::ip(1)), "dev", "street"])?;
        for net in [&exchange, &others] {
            net.run("ip", &["link", "set", "street", "up"])?;
        }
        // Answers to addresses that are nobody's go there, too, and are dropped there.
        exchange.run("ip", &["route", "add", "default", "via", &Self::ip(Self::STRANGER)])?;
        let street = Self { exchange, others };
        street.settle(Self::STRANGER)?;
        Ok(street)
    }

    /// The address with this number; the exchange has 1.
    pub(crate) fn ip(host: u8) -> String {
        format!("{}.{host}", Self::NET)
    }

    /// Gives the others this address, too.
    pub(crate) fn settle(&self, host: u8) -> Result<String> {
        let ip = Self::ip(host);
        self.others.run("ip", &["address", "add", &format!("{ip}/24"), "dev", "street"])?;
        Ok(ip)
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("starting {program}"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {} failed: {error}", arguments.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
