//! Messages that are well-formed enough to be listened to, and mean harm: too much of everything, credentials that are somebody else's or
//! none, contacts that lead nowhere good, names that would be more than a name.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::stage::CAROL;
use super::{Needs, Row, World};
use crate::peers::PASSWORD;
use crate::peers::raw::{UdpPeer, connect_from};
use crate::peers::ringback;
use crate::peers::sip::{self, Challenge, Text};
use crate::process::{Process, tail};
use crate::usage::memory_kb;

pub(super) const SCENARIOS: &[Row] = &[
    ("ten_thousand_headers_do_no_harm", Needs::Ringback, |world| large(world, &"a: b\r\n".repeat(10_000))),
    ("a_header_of_64_kb_does_no_harm", Needs::Ringback, |world| {
        large(world, &format!("X: {}\r\n", "x".repeat(65_000)))
    }),
    ("ten_thousand_vias_do_no_harm", Needs::Ringback, |world| {
        large(world, &format!("v: SIP/2.0/UDP a{}\r\n", ",SIP/2.0/UDP a".repeat(4_000)))
    }),
    ("replayed_credentials_are_worth_nothing", Needs::Ringback, replayed),
    ("malformed_credentials_are_worth_nothing", Needs::Ringback, malformed_credentials),
    ("known_and_unknown_users_are_answered_alike", Needs::Ringback, alike),
    ("hostile_contacts_do_no_harm", Needs::Ringback, hostile_contacts),
    ("line_ends_in_names_add_no_headers", Needs::Ringback, line_ends),
];

const MEMORY_MB_MAX: u64 = 128;
/// Nobody's message takes longer than this to be dealt with.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How often each is asked for, and how far the medians of the times that it took may be apart: more than a timer is late.
const ALIKE_TIMES: usize = 150;
const ALIKE_RATIO_MAX: f64 = 1.5;
const ALIKE_SECONDS: f64 = 30e-6;
const UDP_BYTES_MAX: usize = 65_000;

/// A request of `method` for `uri` from `ip`; its number makes it one of a kind, `more` are further lines.
fn request(method: &str, uri: &str, ip: &str, number: usize, from: &str, more: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:5060;branch=z9hG4bKh{number};rport\r\nMax-Forwards: 70\r\nFrom: {from};tag=1\r\n\
         To: <{uri}>\r\nCall-ID: h{number}@{ip}\r\nCSeq: 1 {method}\r\nContact: <sip:x@{ip}>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// Somebody else is served at once, and the exchange is no larger for it.
fn unharmed(world: &World, exchange: &mut Process, number: usize, after: &str) -> Result<()> {
    let (ip, user) = (world.exchange_ip(), world.scope.ip(9));
    ensure!(exchange.running()?, "the exchange ended after {after}\n{}", tail(&exchange.output()));
    let asked = Instant::now();
    let text = request("OPTIONS", &format!("sip:{ip}"), &user, number, "<sip:x@example.com>", "");
    let answer = UdpPeer::bind(&user)?.exchange(&ip, text.as_bytes()).with_context(|| format!("after {after}"))?;
    ensure!(answer.starts_with("SIP/2.0 200 "), "after {after}, OPTIONS got {answer}");
    ensure!(asked.elapsed() < ANSWER_MAX, "after {after}, OPTIONS took {:?}", asked.elapsed());
    let memory_mb = memory_kb(exchange)? / 1024;
    ensure!(memory_mb < MEMORY_MB_MAX, "after {after}, the exchange holds {memory_mb} MB");
    Ok(())
}

/// With these lines in it, each kind of request over UDP and TCP, many times.
fn large(world: &World, lines: &str) -> Result<()> {
    let mut exchange = world.start_exchange()?;
    let (ip, attacker) = (world.exchange_ip(), world.scope.ip(3));
    let peer = UdpPeer::bind(&attacker)?;
    let to: SocketAddr = format!("{ip}:5060").parse()?;
    for number in 0..40 {
        let method = ["OPTIONS", "INVITE", "REGISTER", "MESSAGE"][number % 4];
        let uri = if number % 8 < 4 { format!("sip:{ip}") } else { format!("sip:alice@{ip}") };
        let text = request(method, &uri, &attacker, number, "<sip:x@example.com>", lines);
        if text.len() <= UDP_BYTES_MAX {
            peer.send(&ip, text.as_bytes())?;
        }
        let mut stream = connect_from(&attacker, to)?;
        // (It may be cut while it is written.)
        let _ = stream.write_all(text.replace("SIP/2.0/UDP", "SIP/2.0/TCP").as_bytes());
    }
    unharmed(world, &mut exchange, 1, "large messages")?;
    let answers = peer.receive_until(Instant::now() + Duration::from_millis(200))?;
    let longest = answers.iter().map(String::len).max().unwrap_or(0);
    ensure!(longest < lines.len() + 1000, "an answer has {longest} bytes");
    Ok(())
}

/// Somebody has overheard alice, and says the same again, for himself.
fn replayed(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let (server, alices, thiefs) = (world.exchange_ip(), world.scope.ip(2), world.scope.ip(66));
    let (alice, thief) = (UdpPeer::bind(&alices)?, UdpPeer::bind(&thiefs)?);
    let contact = |ip: &str, more: &str| format!("Contact: <sip:alice@{ip}>{more}\r\n");
    let first =
        alice.exchange(&server, sip::register(&server, "alice", &alices, 0, &contact(&alices, "")).as_bytes())?;
    let challenge = Challenge::of(&Text::new(&first)).with_context(|| format!("no challenge in {first}"))?;
    let proof = challenge.answer("alice", PASSWORD, "REGISTER", &format!("sip:{server}"), 1);
    let authorization = format!("Authorization: {proof}\r\n");
    let text = sip::register(&server, "alice", &alices, 1, &(contact(&alices, "") + &authorization));
    let answer = alice.answer(&server, &text)?;
    ensure!(answer.starts_with("SIP/2.0 200 "), "alice got {answer}");
    let again = proof.replace("nc=00000001", "nc=00000002");
    let invites = proof.replace("REGISTER", "INVITE");
    let steals = [
        ("the same", contact(&thiefs, "") + &authorization),
        ("the next count", contact(&thiefs, "") + &format!("Authorization: {again}\r\n")),
        ("another method's", contact(&thiefs, "") + &format!("Authorization: {invites}\r\n")),
        ("a removal", contact(&alices, ";expires=0") + &authorization),
        ("the removal of all", "Contact: *\r\nExpires: 0\r\n".to_owned() + &authorization),
    ];
    for (number, (what, lines)) in steals.iter().enumerate() {
        for (who, ip) in [(&thief, &thiefs), (&alice, &alices)] {
            let text = sip::register(&server, "alice", ip, 10 + number as u32, lines);
            let answer = who.answer(&server, &text)?;
            let refused = ["401", "403"].iter().any(|status| answer.starts_with(&format!("SIP/2.0 {status} ")));
            ensure!(refused, "{what}, replayed from {ip}, got {answer}");
        }
    }
    let known = alice.register(&server, "alice", &alices, 50, "")?;
    let contacts: Vec<&str> = Text::new(&known).all("Contact").collect();
    ensure!(contacts.len() == 1 && contacts[0].contains(&alices), "alice is now at {contacts:?}");
    Ok(())
}

fn malformed_credentials(world: &World) -> Result<()> {
    let mut exchange = world.start_exchange()?;
    let (server, ip) = (world.exchange_ip(), world.scope.ip(2));
    let peer = UdpPeer::bind(&ip)?;
    let contact = format!("Contact: <sip:alice@{ip}>\r\n");
    let first = peer.exchange(&server, sip::register(&server, "alice", &ip, 0, &contact).as_bytes())?;
    let challenge = Challenge::of(&Text::new(&first)).with_context(|| format!("no challenge in {first}"))?;
    let good = challenge.answer("alice", PASSWORD, "REGISTER", &format!("sip:{server}"), 1);
    let long = "x".repeat(20_000);
    let mut values: Vec<String> = [
        "",
        "Digest",
        "Digest ,,,=,",
        "Basic YWxpY2U6c2VjcmV0",
        "Bearer x",
        "Digest username",
        "\"",
        "Digest \"\"=\"\"",
    ]
    .map(String::from)
    .into();
    for (what, instead) in [
        ("username=\"alice\"", "username=\"alice"),
        ("username=\"alice\"", "username=\"\""),
        ("username=\"alice\"", "username=\"alice\\\""),
        ("username=\"alice\"", "username=alice@"),
        ("username=\"alice\"", "username*=UTF-8''alice%00"),
        ("username=\"alice\"", "username=\"alice' OR '1'='1\""),
        ("nc=00000001", "nc=zzzzzzzz"),
        ("nc=00000001", "nc=-1"),
        ("nc=00000001", "nc=00000000"),
        ("nc=00000001", "nc=ffffffffffffffff"),
        ("nc=00000001", ""),
        ("qop=auth", "qop=auth-int"),
        ("qop=auth", "qop=none"),
        ("qop=auth,", ""),
        ("algorithm=MD5", "algorithm=MD5-sess"),
        ("algorithm=MD5", "algorithm=none"),
        ("algorithm=MD5", "algorithm=SHA-256"),
        ("response=\"", "response=\"0"),
        ("response=\"", "response=\"\u{0}"),
        ("response=", "answer="),
        ("uri=\"sip:", "uri=\"http:"),
        ("uri=", "url="),
        ("nonce=\"", "nonce=\"0"),
        ("nonce=", "nonsense="),
        ("cnonce=\"torment\"", "cnonce=\"\""),
        ("realm=\"", "realm=\"x"),
        ("realm=\"", &format!("realm=\"{long}")),
        ("nonce=\"", &format!("nonce=\"{long}")),
        ("cnonce=\"", &format!("cnonce=\"{long}")),
    ] {
        values.push(good.replace(what, instead));
    }
    values.push(format!("Digest {}", "a=b,".repeat(5000)));
    let many = "Digest username=\"alice\"\r\nAuthorization: ".repeat(500) + "Digest x=y";
    values.push(many);
    for (number, value) in values.iter().enumerate() {
        ensure!(*value != good, "value {number} is not malformed");
        let text =
            sip::register(&server, "alice", &ip, 1 + number as u32, &format!("{contact}Authorization: {value}\r\n"));
        let shown: String = value.chars().take(200).collect();
        let answer = peer.answer(&server, &text).with_context(|| format!("for {shown}"))?;
        ensure!(answer.starts_with("SIP/2.0 4"), "{shown} got {answer}");
        ensure!(answer.len() < text.len() + 500, "{shown} got an answer of {} bytes", answer.len());
    }
    let said = exchange.output();
    ensure!(!said.contains(PASSWORD), "the exchange has said a password:\n{said}");
    unharmed(world, &mut exchange, 2, "malformed credentials")?;
    let answer = peer.register(&server, "alice", &ip, 500, &contact)?;
    ensure!(answer.starts_with("SIP/2.0 200 "), "alice herself got {answer}");
    Ok(())
}

/// A request of or for a user, with a challenge to answer; its number makes it one of a kind.
type Ask<'a> = &'a dyn Fn(&str, &Challenge, u32) -> String;

/// Whoever has no password cannot tell from what is said, nor from when, who has one: as a user (alice, who exists, and is not there;
/// zelda, who does not) or calling one.
fn alike(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let (server, ip) = (world.exchange_ip(), world.scope.ip(5));
    let peer = UdpPeer::bind(&ip)?;
    let challenge = |user: &str| -> Result<Challenge> {
        let first = peer.answer(&server, &sip::register(&server, user, &ip, 0, ""))?;
        Challenge::of(&Text::new(&first)).with_context(|| format!("no challenge in {first}"))
    };
    let challenges = [("alice", challenge("alice")?), ("zelda", challenge("zelda")?)];
    let asks: [(&str, Ask<'_>); 4] = [
        ("REGISTER", &|user, _, number| sip::register(&server, user, &ip, number, "")),
        ("REGISTER with a wrong password", &|user, challenge, number| {
            let answer = challenge.answer(user, "wrong", "REGISTER", &format!("sip:{server}"), number);
            sip::register(&server, user, &ip, number, &format!("Authorization: {answer}\r\n"))
        }),
        ("MESSAGE", &|user, _, number| {
            request("MESSAGE", &format!("sip:{user}@{server}"), &ip, number as usize, "<sip:x@example.com>", "")
        }),
        ("MESSAGE in one's name", &|user, _, number| {
            let from = format!("<sip:{user}@{server}>");
            request("MESSAGE", "sip:x@example.com", &ip, number as usize, &from, "")
        }),
    ];
    let mut number = 1;
    for (what, ask) in asks {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..ALIKE_TIMES {
            let mut answers = Vec::new();
            for ((user, challenge), times) in challenges.iter().zip(&mut times) {
                number += 1;
                let text = ask(user, challenge, number);
                let asked = Instant::now();
                let answer = peer.answer(&server, &text)?;
                times.push(asked.elapsed());
                // Names, and what is random or counted, differ.
                let answer = answer.replace(user, "USER");
                let kept =
                    answer.lines().filter(|line| !["Via", "Call-ID", "CSeq"].iter().any(|name| line.starts_with(name)));
                answers.push(kept.map(without_tokens).collect::<Vec<_>>());
            }
            ensure!(answers[0] == answers[1], "{what}: a user is told from nobody: {answers:#?}");
        }
        let [known, unknown] = times.map(|mut times| {
            times.sort();
            times[times.len() / 2].as_secs_f64()
        });
        let ratio = known.max(unknown) / known.min(unknown);
        let far = (known - unknown).abs() > ALIKE_SECONDS;
        ensure!(
            ratio < ALIKE_RATIO_MAX || !far,
            "{what}: {:.0} us for a user, {:.0} for nobody",
            known * 1e6,
            unknown * 1e6
        );
    }
    Ok(())
}

/// A line without its quoted nonce and its tag.
fn without_tokens(line: &str) -> String {
    let cut = |text: &str, name: &str, end: &[char]| match text.split_once(name) {
        Some((before, after)) => {
            let rest = after.find(end).map_or("", |at| &after[at..]);
            format!("{before}{name}{rest}")
        }
        None => text.to_owned(),
    };
    cut(&cut(line, "nonce=\"", &['"']), ";tag=", &[';', '>'])
}

/// Alice, who has a password, says that she is reached at places that are none, or the exchange's own.
fn hostile_contacts(world: &World) -> Result<()> {
    let mut exchange = world.start_exchange()?;
    let (server, ip) = (world.exchange_ip(), world.scope.ip(2));
    let (alice, caller) = (UdpPeer::bind(&ip)?, UdpPeer::bind(&world.scope.ip(5))?);
    let long = format!("sip:x@{}example", "a.".repeat(3000));
    let contacts = [
        &format!("sip:x@{server}"),
        &format!("sip:alice@{server}"),
        &format!("sip:x@{server};maddr=255.255.255.255"),
        &format!("sip:x@example.com;maddr={server}"),
        "sip:x@255.255.255.255",
        "sip:x@224.0.0.1",
        "sip:x@0.0.0.0",
        "sip:x@[::]",
        "sip:x@[::1",
        "sip:x@999.999.999.999",
        "sip:x@1.2.3.4:99999",
        "sip:x@1.2.3.4:0",
        "sip:x@a..b",
        "sip:x@$(reboot)",
        "sip:x@';DROP TABLE account;--",
        "sip:x%0d%0aX-Evil:%201@192.0.2.9",
        "sip:x@192.0.2.9\u{1b}[2J",
        "sip:x@192.0.2.9\u{7}",
        "sip:x@../../../etc/passwd",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "tel:+1900555",
        "sips:",
        "",
        &long,
    ];
    for (number, contact) in contacts.iter().enumerate() {
        let shown: String = contact.chars().take(100).collect();
        let number = 10 * (number as u32 + 1);
        let answer = alice.register(&server, "alice", &ip, number, &format!("Contact: <{contact}>;expires=60\r\n"))?;
        let status = Text::new(&answer).status().unwrap_or_default();
        ensure!(status == 200 || (400..600).contains(&status), "{shown} got {answer}");
        if status == 200 {
            let call = request(
                "MESSAGE",
                &format!("sip:alice@{server}"),
                &world.scope.ip(5),
                number as usize,
                "<sip:x@example.com>",
                "",
            );
            caller.send(&server, call.as_bytes())?;
            // It goes to where she has registered from, wherever she says that she is.
            let passed_on = alice.wait_for("MESSAGE", ANSWER_MAX, |text| text.starts_with("MESSAGE "));
            passed_on.with_context(|| format!("with the contact {shown}"))?;
        }
        expect_clean_list(world, &shown)?;
        let gone = alice.register(&server, "alice", &ip, number + 5, "Contact: *\r\nExpires: 0\r\n")?;
        ensure!(gone.starts_with("SIP/2.0 200 "), "after {shown}, removing all got {gone}");
        unharmed(world, &mut exchange, 100 + number as usize, &shown)?;
    }
    Ok(())
}

/// What the operator reads, on a terminal and in a script, is text.
fn expect_clean_list(world: &World, after: &str) -> Result<()> {
    let file = world.scope.dir().join("ringback.toml");
    for more in [&[][..], &["--json"]] {
        let mut command = ringback::command(&["reg", "ls", "--config", &file.to_string_lossy()])?;
        command.args(more);
        let (code, process) = world.scope.run("reg-ls", &command, Duration::from_secs(10))?;
        let said = process.stdout();
        ensure!(code == 0, "after {after}, reg ls exited with {code}\n{}", process.output());
        let controls = said.chars().any(|c| c.is_control() && c != '\n');
        ensure!(!controls, "after {after}, reg ls shows control characters: {said:?}");
    }
    Ok(())
}

/// However a name is written, nothing that is passed on has a header that the sender did not write as one.
fn line_ends(world: &World) -> Result<()> {
    let mut exchange = world.start_exchange()?;
    let (server, carols, ip) = (world.exchange_ip(), world.scope.ip(CAROL), world.scope.ip(5));
    let (carol, sender) = (UdpPeer::bind(&carols)?, UdpPeer::bind(&ip)?);
    let contact = format!("Contact: <sip:carol@{carols}>\r\nUser-Agent: phone\u{1b}[31m\r\n");
    let answer = carol.register(&server, "carol", &carols, 1, &contact)?;
    ensure!(answer.starts_with("SIP/2.0 200 ") || answer.starts_with("SIP/2.0 4"), "carol got {answer}");
    if !answer.starts_with("SIP/2.0 200 ") {
        let answer = carol.register(&server, "carol", &carols, 2, &format!("Contact: <sip:carol@{carols}>\r\n"))?;
        ensure!(answer.starts_with("SIP/2.0 200 "), "carol got {answer}");
    }
    expect_clean_list(world, "a User-Agent with an escape sequence")?;
    let evil = "X-Evil: 1";
    let names = [
        format!("\"x\r\n{evil}\r\n\""),
        format!("\"x\\\r\n{evil}\""),
        format!("\"x\\\r\\\n{evil}\""),
        format!("\"x\r{evil}\""),
        format!("\"x\n{evil}\""),
        format!("\"x\n{evil}\r\n\""),
        format!("\"x\u{0}\r\n{evil}\""),
        format!("\"x\u{2028}{evil}\""),
        format!("\"x\u{85}{evil}\""),
        format!("\"x%0d%0a{evil}\""),
        format!("x\r\n{evil}\r\nY: "),
        "\u{1b}]0;owned\u{7}".to_owned(),
    ];
    for (number, name) in names.iter().enumerate() {
        let from = format!("{name} <sip:x%0d%0aX-Evil:%201@example.com>");
        let text = request("MESSAGE", &format!("sip:carol@{server}"), &ip, 200 + number, &from, "Subject: s\r\n");
        sender.send(&server, text.as_bytes())?;
        // Written as a header of its own, it is one.
        let own = text.split("\r\n").any(|line| line.starts_with("X-Evil:"));
        let arrived = carol.receive_until(Instant::now() + Duration::from_millis(60))?;
        for message in arrived {
            let lines = message.split(['\r', '\n']).filter(|line| line.starts_with("X-Evil:")).count();
            ensure!(own || lines == 0, "{name:?} became a header of its own: {message:?}");
        }
    }
    let said = exchange.output();
    ensure!(
        !said.contains('\u{1b}') && !said.lines().any(|line| line.starts_with("X-Evil")),
        "the log shows what strangers wrote: {said:?}"
    );
    unharmed(world, &mut exchange, 3, "line ends in names")
}
