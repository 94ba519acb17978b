use super::keys::USER_KEYS;
use super::problem::Problem;
use super::value::Value;
use sip_auth::{Algorithm, Secrets};
use store::{Account, valid_name};

/// Reads one `[[user]]` of an exchange for these domains, all of which have the same accounts; the secrets that it does not give are drawn with `chance`, so that nobody knows them.
pub(super) fn read(
    value: &Value,
    realm: &str,
    domains: &[String],
    algorithms: &[Algorithm],
    chance: &mut engine::Rng,
) -> Result<Account, Vec<Problem>> {
    let mut problems = Vec::new();
    let entries = value.table("user").map_err(|problem| vec![problem])?;
    let mut texts: [Option<(String, &Value)>; USER_KEYS.len()] = Default::default();
    for (name, span, entry) in entries {
        let Some(index) = USER_KEYS.iter().position(|key| key == name) else {
            let nearest = USER_KEYS.iter().min_by_key(|key| strsim::damerau_levenshtein(name, key));
            let help = format!("did you mean `{}`?", nearest.unwrap_or(&"name"));
            let what = format!("unknown key `{name}` of a user");
            problems.push(Problem { source: entry.source.clone(), span: span.clone(), what, help });
            continue;
        };
        match entry.text(&format!("user.{name}")) {
            Ok(text) => texts[index] = Some((text, entry)),
            Err(problem) => problems.push(problem),
        }
    }
    let [name, password, md5, sha256, domain] = texts;
    if let Some((domain, at)) = domain
        && !domains.iter().any(|ours| ours.eq_ignore_ascii_case(&domain))
    {
        problems.push(at.problem(
            format!("{domain:?} is not one of our domains"),
            "leave this out, or add it to domains: they all have the same accounts",
        ));
    }
    let Some((name, name_at)) = name else {
        problems.push(value.problem("a user has no name", "add name = \"..\""));
        return Err(problems);
    };
    if !valid_name(&name) {
        problems.push(name_at.problem(
            format!("{name:?} cannot be a user's name"),
            format!("1 to {} letters, digits, and . _ + ~ ! * -", store::NAME_BYTES_MAX),
        ));
    }
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
            let mut secrets = Secrets { md5: [0; 16], sha256: [0; 32] };
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
    if problems.is_empty() { Ok(Account::new(&name, realm, secrets)) } else { Err(problems) }
}
