use crate::console::Console;
use crate::exit::{Exit, Failure, Outcome};
use crate::telephone::Credentials;
use clap::Args;
use load::{LoadConfig, LoadError, Progress, Report, Scenario};
use serde_json::json;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::ops::ControlFlow;
use std::time::Duration;

/// Makes many calls or registrations, and says how they went.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback load 192.0.2.1 -r 200 -m 1000 -d 200 --as 100:secret@192.0.2.1")]
pub(crate) struct Arguments {
    /// The server, over UDP: HOST or HOST:PORT
    target: String,
    /// Calls or registrations begun in a second
    #[arg(short, value_name = "RATE", default_value_t = 10.0)]
    rate: f64,
    /// Calls or registrations in progress at a time
    #[arg(short = 'l', value_name = "CONCURRENT")]
    concurrent: Option<u32>,
    /// Calls or registrations altogether
    #[arg(short = 'm', value_name = "TOTAL", default_value_t = 100)]
    total: u64,
    /// How long each call lasts, in milliseconds
    #[arg(short = 'd', value_name = "HOLD_MS", default_value_t = 0)]
    hold_ms: u64,
    /// What is done again and again: call or register
    #[arg(long, value_name = "call|register", default_value = "call", value_parser = scenario)]
    scenario: Scenario,
    /// Who registers, and is called; without, the target is called itself
    #[arg(long = "as", value_name = "USER:PASS@DOMAIN")]
    account: Option<Credentials>,
    /// With more than one: users USER0, USER1, ..
    #[arg(long, value_name = "N", default_value_t = 1)]
    users: u32,
    /// Whom to call at the target when nobody registers
    #[arg(long, value_name = "USER", default_value = "service")]
    callee: String,
    /// Ends the run after so many seconds, whatever is still in progress
    #[arg(long, value_name = "S", default_value = "3600", value_parser = crate::telephone::seconds)]
    timeout: Duration,
    /// The local address
    #[arg(long, value_name = "ADDR")]
    bind: Option<IpAddr>,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    let config = LoadConfig {
        scenario: arguments.scenario,
        target: target(&arguments.target)?,
        account: arguments.account.as_ref().map(Credentials::for_load),
        users: arguments.users,
        callee: arguments.callee.clone(),
        rate: arguments.rate,
        concurrent: arguments.concurrent,
        total: arguments.total,
        hold: Duration::from_millis(arguments.hold_ms),
        timeout: arguments.timeout,
        bind: arguments.bind,
    };
    crate::interrupt::watch()?;
    let report = load::run(&config, |progress| {
        console.say(so_far(progress));
        if crate::interrupt::times() > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .map_err(|error| not_run(&error))?;
    console.tell(in_words(&report), || json!(report));
    if arguments.account.is_none()
        && report.failures.keys().any(|failure| failure.contains("480") || failure.contains("404"))
    {
        console.complain(format!(
            "nobody is there as `{}`: name somebody else with --callee, or an account that registers and is called with --as",
            arguments.callee
        ));
    }
    Ok(match (report.failed, report.received) {
        (0, _) if report.ok > 0 => Exit::Done,
        (_, 0) => Exit::NobodyAnswered,
        _ => Exit::Negative,
    })
}

fn scenario(text: &str) -> Result<Scenario, String> {
    Scenario::parse(text).ok_or_else(|| "call or register is needed".to_owned())
}

fn target(text: &str) -> Result<SocketAddr, Failure> {
    let host = text.strip_prefix("sip:").unwrap_or(text);
    let with_port = if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) {
        format!("[{host}]:5060")
    } else if host.ends_with(']') || !host.contains(':') {
        format!("{host}:5060")
    } else {
        host.to_owned()
    };
    let found = with_port.to_socket_addrs().ok().and_then(|mut found| found.next());
    found.ok_or_else(|| Failure::usage(format!("{text} is no HOST or HOST:PORT that can be found")))
}

fn not_run(error: &LoadError) -> Failure {
    let exit = match error {
        LoadError::RegisterRefused { .. } => Exit::Negative,
        LoadError::RegisterUnanswered { .. } => Exit::NobodyAnswered,
        LoadError::Config(_) | LoadError::Socket(_) => Exit::Usage,
    };
    Failure { exit, text: error.to_string() }
}

fn so_far(progress: &Progress) -> String {
    format!(
        "{:>5} s: {} begun, {} in progress, {} ok, {} failed, {} sent again",
        progress.elapsed.as_secs(),
        progress.begun,
        progress.in_progress,
        progress.ok,
        progress.failed,
        progress.retransmissions
    )
}

fn in_words(report: &Report) -> String {
    let mut words = format!(
        "{} {}s at {:.1}/s in {:.1} s: {} ok, {} failed, {} retransmissions",
        report.total,
        report.scenario.as_str(),
        report.rate_achieved,
        report.seconds,
        report.ok,
        report.failed,
        report.retransmissions,
    );
    if report.ok > 0 {
        let [p50, p90] = [report.setup_ms_p50, report.setup_ms_p90];
        let [p99, max] = [report.setup_ms_p99, report.setup_ms_max];
        words += &format!("\nsetup: half in {p50:.1} ms, 90 % in {p90:.1} ms, 99 % in {p99:.1} ms, all in {max:.1} ms");
    }
    for (failure, count) in &report.failures {
        words += &format!("\n  {count} x {failure}");
    }
    words
}
