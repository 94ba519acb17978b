//! What an operator meets: wrong configuration, a port that is taken, restarts.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Needs, Row, World};
use crate::peers::ringback;
use crate::peers::sipp::{self, Outcome};
use crate::process::{tail, wait_udp_free};

pub(super) const SCENARIOS: &[Row] = &[
    ("wrong_configuration_shows_line_and_key", Needs::Ringback, wrong_configuration),
    ("taken_port_says_by_what", Needs::Ringback, taken_port),
    ("second_exchange_on_the_same_data_is_refused", Needs::Ringback, same_data),
    ("killed_exchange_restarts_and_serves", Needs::Ringback, killed_and_restarted),
    ("sigterm_ends_it_with_0", Needs::Ringback, sigterm),
];

const SOON: Duration = Duration::from_secs(10);

fn wrong_configuration(world: &World) -> Result<()> {
    let good = ringback::configuration(&world.scope, &world.exchange_ip());
    let wrong = good.replace("domains =", "domians =");
    let file = world.scope.write("wrong.toml", &wrong)?;
    let line = wrong.lines().position(|line| line.starts_with("domians")).unwrap_or_default() + 1;
    let command = ringback::command(&["serve", "--config", &file.to_string_lossy()])?;
    let (code, process) = world.scope.run("wrong", &command, SOON)?;
    let said = process.stderr();
    let shown = said.contains(&line.to_string()) && said.contains("domians") && said.contains("`domains`");
    ensure!(code == 2 && shown, "exit {code}; the line or the nearest key is missing in\n{said}");
    Ok(())
}

fn taken_port(world: &World) -> Result<()> {
    let ip = world.exchange_ip();
    let mut other = Command::new("sipp");
    other.args(["-sn", "uas", "-i", &ip, "-p", "5060", "-nostdin"]);
    let mut other = world.scope.start("other", &other)?;
    other.wait_udp_bound(&ip, 5060)?;
    refused(world, "sipp")
}

fn same_data(world: &World) -> Result<()> {
    let _first = world.start_exchange()?;
    refused(world, "ringback")
}

/// A (second) exchange on this scenario's address exits with 2 and names `holder`.
fn refused(world: &World, holder: &str) -> Result<()> {
    let file = world.scope.write("second.toml", ringback::configuration(&world.scope, &world.exchange_ip()))?;
    let command = ringback::command(&["serve", "--config", &file.to_string_lossy()])?;
    let (code, process) = world.scope.run("second", &command, SOON)?;
    let said = process.stderr();
    ensure!(code == 2 && said.contains(holder), "exit {code}; {holder} is not named in\n{}", tail(&said));
    Ok(())
}

fn killed_and_restarted(world: &World) -> Result<()> {
    let mut exchange = world.start_exchange()?;
    let (server, ip) = (world.exchange_ip(), world.scope.ip(2));
    sipp::register_ok(&world.scope, &server, "carol", &ip, &format!("{ip}:5060"))?;
    exchange.kill();
    wait_udp_free(&server, 5060)?;
    let _exchange = world.start_exchange()?;
    sipp::register_ok(&world.scope, &server, "carol", &ip, &format!("{ip}:5060"))?;
    let _callee = sipp::start_callee(&world.scope, "callee", &ip, &[])?;
    let mut caller = sipp::command("caller", &world.scope.ip(3));
    caller.arg(format!("{server}:5060")).args(["-s", "carol", "-m", "10"]);
    Outcome::of(&world.scope, "caller", &caller, Duration::from_secs(30))?.expect_all(10)
}

fn sigterm(world: &World) -> Result<()> {
    let mut exchange = world.start_exchange()?;
    exchange.signal("TERM");
    exchange.wait_code(0, Duration::from_secs(20))
}
