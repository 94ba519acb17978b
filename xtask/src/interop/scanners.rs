//! SIPVicious (Debian), which looks for exchanges, their users and their passwords: it finds nobody, and is let in no more.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::street::{PHONES, Stage, register};
use super::{Needs, Row, World};
use crate::netns::Street;
use crate::peers::PASSWORD;
use crate::peers::sip::Challenge;

pub(super) const SCENARIOS: &[Row] = &[
    ("svmap_is_banned", Needs::Ringback, |world| scan(world, &["svmap", EXCHANGE])),
    ("svwar_with_register_finds_no_user", Needs::Ringback, |world| war(world, "REGISTER")),
    ("svwar_with_invite_finds_no_user", Needs::Ringback, |world| war(world, "INVITE")),
    ("svwar_with_options_finds_no_user", Needs::Ringback, |world| war(world, "OPTIONS")),
    ("svcrack_finds_no_password", Needs::Ringback, crack),
    ("a_quiet_guesser_of_users_finds_none", Needs::Ringback, quiet_war),
    ("a_quiet_guesser_of_passwords_is_banned", Needs::Ringback, quiet_crack),
    ("a_ban_outlives_a_restart_and_is_lifted", Needs::Ringback, ban_is_kept),
    ("forged_offences_shut_no_phone_out", Needs::Ringback, forged),
];

const EXCHANGE: &str = "192.0.2.1";
/// Whom they look for: this one exists.
const USER: &str = "1042";
const RANGE: &str = "1000-1080";
const SCANNED: Duration = Duration::from_secs(60);
/// How often a phone's address is forged.
const FORGED: u32 = 200;

fn war(world: &World, method: &str) -> Result<()> {
    scan(world, &["svwar", "--force", "-e", RANGE, "-m", method, EXCHANGE])
}

fn crack(world: &World) -> Result<()> {
    // The right one is in the middle of what it tries.
    let words: Vec<String> =
        (0..80).map(|number| if number == 50 { PASSWORD.into() } else { number.to_string() }).collect();
    let file = world.scope.write("dictionary.txt", words.join("\n"))?;
    scan(world, &["svcrack", "-u", USER, "-d", &file.to_string_lossy(), EXCHANGE])
}

/// One of the tools against an exchange that has the user; what it found is nothing, and the attacker is banned, and nobody else.
fn scan(world: &World, words: &[&str]) -> Result<()> {
    let stage = Stage::set(world, &[USER])?;
    let attacker = Street::ip(Street::STRANGER);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env("HOME", world.scope.dir());
    let (_, process) = stage.others.run(words[0], &command, SCANNED)?;
    let said = process.output();
    ensure!(!said.contains(USER) && !said.contains(PASSWORD), "{} found somebody:\n{said}", words[0]);
    stage.expect_banned(&attacker).with_context(|| format!("{} said\n{said}", words[0]))?;
    stage.expect_calls()
}

/// The same without the tool's name, by our own hand: user after user.
fn quiet_war(world: &World) -> Result<()> {
    let stage = Stage::set(world, &[USER])?;
    let attacker = Street::ip(Street::STRANGER);
    let mut answers = Vec::new();
    for number in 1030..1060 {
        let user = number.to_string();
        let answer = stage.ask(&attacker, &register(&attacker, &user, number, ""))?;
        answers.push((user, answer.lines().next().unwrap_or("none").to_owned()));
    }
    alike(&answers)
}

/// What anybody can send in a phone's name does not keep the phone out, which has proved who it is.
fn forged(world: &World) -> Result<()> {
    let stage = Stage::set(world, &[USER])?;
    stage.expect_calls()?;
    let socket = stage.socket(&Street::ip(PHONES))?;
    let ip = Street::ip(PHONES);
    let made_up = |number: u32| {
        let challenge = Challenge { realm: "ringback".into(), nonce: format!("{number:044x}") };
        let answer = challenge.answer(USER, "guess", "REGISTER", &format!("sip:{EXCHANGE}"), 1);
        register(&ip, USER, number, &format!("Authorization: {answer}\r\n"))
    };
    for number in 0..FORGED {
        let nobody = register(&ip, &format!("nobody{number}"), number, "");
        let scanner = register(&ip, USER, number, "User-Agent: friendly-scanner\r\n");
        for text in [made_up(number), nobody, scanner, "SIP/2.0".into()] {
            socket.send_to(text.as_bytes(), (EXCHANGE, 5060))?;
        }
    }
    stage.expect_calls()
}

fn alike(answers: &[(String, String)]) -> Result<()> {
    let of_user = answers.iter().find(|(user, _)| user == USER).map(|(_, status)| status.as_str());
    let others: Vec<&str> =
        answers.iter().filter(|(user, _)| user != USER).map(|(_, status)| status.as_str()).collect();
    ensure!(of_user.is_some_and(|status| others.contains(&status)), "the user is told apart: {answers:#?}");
    Ok(())
}

/// Who is banned stays banned when the exchange is killed, until the operator says otherwise.
fn ban_is_kept(world: &World) -> Result<()> {
    let mut stage = Stage::set(world, &[USER])?;
    let attacker = Street::ip(Street::STRANGER);
    ensure!(stage.answers(&attacker, 10)?, "a stranger gets no answer");
    stage.ask(&attacker, &register(&attacker, USER, 1, "User-Agent: friendly-scanner\r\n"))?;
    stage.expect_banned(&attacker)?;
    stage.restart()?;
    stage.expect_banned(&attacker)?;
    let (code, said) = stage.ringback(&["ban", "rm", &attacker])?;
    ensure!(code == 0, "ban rm ended with {code}\n{said}");
    ensure!(stage.answers(&attacker, 11)?, "the ban is lifted, and nobody answers");
    let (code, said) = stage.ringback(&["ban", "add", &attacker, "--for", "1h", "--why", "by hand"])?;
    ensure!(code == 0, "ban add ended with {code}\n{said}");
    stage.expect_banned(&attacker)
}

fn quiet_crack(world: &World) -> Result<()> {
    let stage = Stage::set(world, &[USER])?;
    let attacker = Street::ip(Street::STRANGER);
    for number in 0..30 {
        stage.try_password(&attacker, USER, &format!("guess-{number}"), number)?;
    }
    stage.expect_banned(&attacker)?;
    stage.expect_calls()
}
