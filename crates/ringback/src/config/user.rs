use super::keys::{FORWARD, USER};
use super::limits;
use super::problem::Problem;
use super::table::Table;
use super::value::Value;
use routing::{Forwards, Limits, NO_ANSWER_AFTER_S, NO_ANSWER_AFTER_S_MAX, Place};
use sip_auth::{Algorithm, Secrets};
use store::{Account, valid_name};

/// Reads one `[[user]]` of an exchange for these domains, all of which have the same accounts; the secrets that it does not give are drawn with `chance`, so that nobody knows them.
pub(super) fn read(
    value: &Value,
    realm: &str,
    domains: &[String],
    algorithms: &[Algorithm],
    everybody: &Limits,
    chance: &mut engine::Rng,
) -> Result<Account, Vec<Problem>> {
    let mut problems = Vec::new();
    let Some(table) = Table::open(value, "a user", USER, &mut problems) else { return Err(problems) };
    let mut text = |key| table.take(key, &mut problems, Value::text).zip(table.get(key));
    let [password, md5, sha256, domain] = ["password", "ha1_md5", "ha1_sha256", "domain"].map(&mut text);
    if let Some((domain, at)) = domain
        && !domains.iter().any(|ours| ours.eq_ignore_ascii_case(&domain))
    {
        problems.push(at.problem(
            format!("{domain:?} is not one of our domains"),
            "leave this out, or add it to domains: they all have the same accounts",
        ));
    }
    let Some((name, name_at)) = table.needed("name", &mut problems) else { return Err(problems) };
    if !valid_name(&name) {
        problems.push(name_at.problem(
            format!("{name:?} cannot be a user's name"),
            format!("1 to {} letters, digits, and . _ + ~ ! * -", store::NAME_BYTES_MAX),
        ));
    }
    let forwards = table.get("forward").map_or_else(Forwards::default, |value| forwards(value, &name, &mut problems));
    let limits = table.get("limits").map(|value| limits::of_a_user(value, everybody, &mut problems));
    let secrets = match (&password, &md5, &sha256) {
        (Some((password, at)), None, None) => {
            if password.is_empty() {
                problems.push(at.problem(format!("user {name} has an empty password"), "anybody could guess that"));
            }
            Secrets::new(&name, realm, password)
        }
        (Some((_, at)), ..) => {
            problems.push(at.problem(format!("user {name} has a password and a ha1"), "one of them is enough"));
            return Err(problems);
        }
        (None, None, None) => {
            // A key that was meant to be one is the cause, and said already.
            if !problems.iter().any(|problem| problem.help.contains("`password`") || problem.help.contains("`ha1_")) {
                problems.push(name_at.problem(format!("user {name} has no password"), "add password = \"..\""));
            }
            return Err(problems);
        }
        (None, ..) => {
            if algorithms.contains(&Algorithm::Sha512_256) {
                let what = format!("user {name} has no SHA-512-256 digest, and auth.algorithms has SHA-512-256");
                problems.push(name_at.problem(what, "give the password"));
            }
            let mut secrets = Secrets { md5: [0; 16], sha256: [0; 32], sha512_256: None };
            let given = [
                (Algorithm::Md5, "ha1_md5", &md5, &mut secrets.md5[..]),
                (Algorithm::Sha256, "ha1_sha256", &sha256, &mut secrets.sha256[..]),
            ];
            for (algorithm, key, text, secret) in given {
                chance.fill(secret);
                match text {
                    Some((text, _)) if store::unhex(text, secret) => {}
                    Some((_, at)) => {
                        let help = format!("{} hexadecimal digits: of {name}:{realm}:PASSWORD", 2 * secret.len());
                        problems.push(at.problem(format!("`{key}` of user {name} is no such digest"), help));
                    }
                    None if algorithms.contains(&algorithm) => problems.push(name_at.problem(
                        format!("user {name} has no {key}, and auth.algorithms has {}", algorithm.as_str()),
                        format!("add {key} = \"..\", or give the password"),
                    )),
                    None => {}
                }
            }
            secrets
        }
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Account { forwards, limits, ..Account::new(&name, realm, secrets) })
}

/// Reads the `forward = {}` of a user.
fn forwards(value: &Value, user: &str, problems: &mut Vec<Problem>) -> Forwards {
    let Some(table) = Table::open(value, "forward", FORWARD, problems) else { return Forwards::default() };
    let place = |value: &Value, key: &str| {
        let text = value.text(key)?;
        if text == user {
            return Err(value.problem(format!("calls to {user} would go to {user}"), "somebody else is needed here"));
        }
        Place::parse(&text)
            .map_err(|wanted| value.problem(format!("`{key}` cannot be {text:?}"), format!("{wanted} is needed")))
    };
    let mut take = |key| table.take(key, problems, place);
    let [always, busy, no_answer, not_registered] = ["always", "busy", "no_answer", "not_registered"].map(&mut take);
    let seconds = |value: &Value, key: &str| {
        if table.get("no_answer").is_none() {
            return Err(value.problem(format!("`{key}` means nothing here"), "add no_answer = \"..\", or remove this"));
        }
        value.number(key, 1..NO_ANSWER_AFTER_S_MAX + 1)
    };
    let no_answer_after_s = table.take("no_answer_after_s", problems, seconds).unwrap_or(NO_ANSWER_AFTER_S);
    Forwards { always, busy, no_answer, no_answer_after_s, not_registered }
}
