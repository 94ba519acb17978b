//! A telephone in a web browser, over `wss://`: it trusts the exchange's own authority and nothing is switched off.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::stage::CAROL;
use super::{Needs, Row, World};
use crate::peers::browser::{Account, Browser};
use crate::peers::ringback::{self, Setup};
use crate::peers::sipp::{self, End, Script};
use crate::peers::{PASSWORD, USERS};

pub(super) const SCENARIOS: &[Row] = &[
    ("a_browser_registers_over_wss_and_exchanges_messages", Needs::Ringback, |world| exchanges_messages(world, "wss")),
    ("a_browser_registers_over_ws_and_exchanges_messages", Needs::Ringback, |world| exchanges_messages(world, "ws")),
];

/// A browser takes its time to start on two busy cores.
const START: Duration = Duration::from_secs(45);
const SOON: Duration = Duration::from_secs(15);

/// A MESSAGE from the browser to a phone over UDP, and one back.
fn exchanges_messages(world: &World, transport: &str) -> Result<()> {
    let (ip, carol, caller) = (world.exchange_ip(), world.scope.ip(CAROL), world.scope.ip(4));
    let setup = Setup { listen: format!("{transport} = [\"{ip}:8443\"]\n"), ..Setup::on(&ip) };
    let _exchange = ringback::start(&world.scope, &setup)?;
    let authority = setup.data(&world.scope).join("tls/ca.pem");
    let (server, uri) = (format!("{transport}://{ip}:8443"), format!("sip:{}@{ip}", USERS[0]));
    let authority = (transport == "wss").then_some(authority.as_path());
    let account = Account { server: &server, uri: &uri, password: PASSWORD, authority };
    let mut browser = Browser::start(&world.scope, &account)?;
    browser.event("loaded", START)?;
    browser.event("registered", SOON)?;

    sipp::register_ok(&world.scope, &ip, "carol", &carol, &format!("{carol}:5060"))?;
    let lines = "
        < MESSAGE
            message: hello from a browser
        > 200 MESSAGE";
    let mut phone =
        End::start(&world.scope, &carol, "udp", &Script { name: "carol", uri: "", from: "", lines }, &["-m", "1"])?;
    let status = browser.send_message(&format!("sip:carol@{ip}"), "hello from a browser", SOON)?;
    ensure!(status == 200, "the browser's MESSAGE got {status}");
    phone.finish(&world.scope, SOON)?;

    let lines = "
        > MESSAGE
            body hello from a phone
        < 200";
    let script = Script { name: "writer", uri: &uri, from: &format!("x@{caller}"), lines };
    let server = format!("{ip}:5060");
    End::start(&world.scope, &caller, "udp", &script, &[&server, "-m", "1"])?.finish(&world.scope, SOON)?;
    let message = browser.event("message", SOON)?;
    let text = message["text"].as_str().unwrap_or_default().trim_end();
    ensure!(text == "hello from a phone", "the browser was told {message}");
    Ok(())
}
