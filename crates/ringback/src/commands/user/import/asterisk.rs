//! Asterisk's `pjsip.conf` (sections of type auth) and `sip.conf` (friends and users).

use super::ini::{self, Section};
use super::{Credential, Found, Reading, Skipped, ha1};

/// The realm of an Asterisk that nobody has given another.
const REALM: &str = "asterisk";

/// Reads either file.
pub(super) fn read(text: &str) -> Result<Reading, String> {
    let (sections, includes) = ini::read(text)?;
    let mut reading = Reading::default();
    for line in includes {
        let why = "what is included here is not read: import those files, too".to_owned();
        reading.skipped.push(Skipped { line, name: String::new(), why });
    }
    let named = |key: &str| {
        let values = sections.iter().filter_map(|section| section.get(key));
        values.flat_map(|value| value.split(',').map(str::trim)).collect::<Vec<_>>()
    };
    let (inbound, outbound) = (named("auth"), named("outbound_auth"));
    let default_realm = global_realm(&sections);
    for section in sections.iter().filter(|section| !section.template) {
        let name = section.name.as_str();
        let outcome = match section.get("type") {
            // Ours towards others, not others' towards us.
            Some("auth") if outbound.contains(&name) && !inbound.contains(&name) => continue,
            Some("auth") => of_auth(section, default_realm),
            Some("friend" | "peer" | "user") => match of_friend(section, default_realm) {
                Some(outcome) => outcome,
                None => continue,
            },
            _ => continue,
        };
        match outcome {
            Ok((name, credential)) => {
                reading.found.push(Found { line: section.line, name, domain: None, credential });
            }
            Err(why) => {
                let name = section.get("username").unwrap_or(name).to_owned();
                reading.skipped.push(Skipped { line: section.line, name, why: why.to_owned() });
            }
        }
    }
    Ok(reading)
}

fn global_realm(sections: &[Section]) -> &str {
    let general = sections.iter().filter(|section| section.name == "general").find_map(|section| section.get("realm"));
    let mut globals = sections.iter().rev().filter(|section| section.get("type") == Some("global"));
    general.or_else(|| globals.find_map(|section| section.get("default_realm"))).unwrap_or(REALM)
}

type Outcome = Result<(String, Credential), &'static str>;

/// `type=auth`: who it is for is in `username`.
fn of_auth(section: &Section, default_realm: &str) -> Outcome {
    let name = section.get("username").filter(|name| !name.is_empty()).ok_or("it has no username")?.to_owned();
    let realm = section.get("realm").filter(|realm| !realm.is_empty()).unwrap_or(default_realm);
    let password = section.get("password").filter(|password| !password.is_empty());
    let credential = match section.get("auth_type") {
        Some("md5") => ha1(section.get("md5_cred").unwrap_or_default(), realm).ok_or("its md5_cred is no digest")?,
        Some("digest") if section.entries.iter().any(|entry| entry.key == "password_digest") => {
            digests(section, realm)?
        }
        None | Some("userpass" | "digest") => Credential::Password(password.ok_or("it has no password")?.to_owned()),
        Some(_) => return Err("its auth_type is none that phones have"),
    };
    Ok((name, credential))
}

/// `password_digest = MD5:..`, perhaps a second one with another algorithm.
fn digests(section: &Section, realm: &str) -> Result<Credential, &'static str> {
    let (mut all_md5, mut all_sha256) = (None, None);
    for entry in section.entries.iter().filter(|entry| entry.key == "password_digest") {
        let (algorithm, text) = entry.value.split_once(':').ok_or("its password_digest names no algorithm")?;
        let Some(Credential::Ha1 { md5, sha256, .. }) = ha1(text, realm) else {
            return Err("its password_digest is no digest");
        };
        match algorithm.trim().to_ascii_uppercase().as_str() {
            "MD5" => all_md5 = md5,
            "SHA-256" => all_sha256 = sha256,
            _ => {}
        }
    }
    match (&all_md5, &all_sha256) {
        (None, None) => Err("its password_digest is for no algorithm of ours"),
        _ => Ok(Credential::Ha1 { realm: realm.to_owned(), md5: all_md5, sha256: all_sha256 }),
    }
}

/// A friend, peer or user of `sip.conf`; `None` for what is another exchange and not a phone.
fn of_friend(section: &Section, realm: &str) -> Option<Outcome> {
    if section.get("host").is_some_and(|host| host != "dynamic") {
        return None;
    }
    let digest = section.get("md5secret").filter(|digest| !digest.is_empty());
    let password = section.get("secret").filter(|password| !password.is_empty());
    let credential = match (digest, password) {
        (Some(digest), _) => ha1(digest, realm).ok_or("its md5secret is no digest"),
        (None, Some(password)) => Ok(Credential::Password(password.to_owned())),
        (None, None) => Err("it has neither a secret nor an md5secret"),
    };
    Some(credential.map(|credential| (section.name.clone(), credential)))
}
