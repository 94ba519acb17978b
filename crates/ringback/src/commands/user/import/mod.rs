//! Accounts of other exchanges, read so that their phones register here with the passwords that they have.
//!
//! A HA1 is a password for one realm only: what was made for another than ours is refused with the realm that would be needed. Plain
//! passwords fit any realm, and are forgotten as soon as they are digests.

mod asterisk;
mod ini;
mod kamailio;
mod rows;
mod sql;

use crate::control::{Account, Secrets};
use crate::exit::Failure;
use sip_auth::Algorithm;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use store::valid_name;

/// Where the accounts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum From {
    /// The subscriber table: as INSERT statements (mysqldump, sqlite3 .dump), or as CSV or TSV of username,domain,ha1[,ha1b]
    Kamailio,
    /// pjsip.conf (auth sections) or sip.conf
    Asterisk,
}

/// Somebody whom a file tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    line: usize,
    name: String,
    /// The domain, where accounts have one.
    domain: Option<String>,
    credential: Credential,
}

#[derive(Clone, PartialEq, Eq)]
enum Credential {
    Password(String),
    /// Digests of name, realm and password, in hexadecimal digits.
    Ha1 {
        realm: String,
        md5: Option<String>,
        sha256: Option<String>,
    },
}

/// What a file tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    found: Vec<Found>,
    skipped: Vec<Skipped>,
}

/// What is not taken over, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skipped {
    pub(super) line: usize,
    /// Whose it is, where that is known.
    pub(super) name: String,
    pub(super) why: String,
}

/// What is to be taken over, and what is not.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) accounts: Vec<Account>,
    pub(super) skipped: Vec<Skipped>,
}

/// What accounts must fit.
pub(super) struct Target<'a> {
    pub(super) realm: &'a str,
    pub(super) algorithms: &'a [Algorithm],
    /// Only accounts of this domain.
    pub(super) domain: Option<&'a str>,
}

/// Reads a file's text.
pub(super) fn read(text: &str, from: From, target: &Target<'_>) -> Result<Import, Failure> {
    let mut reading = match from {
        From::Kamailio => kamailio::read(text),
        From::Asterisk => asterisk::read(text),
    }
    .map_err(Failure::usage)?;
    if let Some(wanted) = target.domain {
        reading.found.retain(|found| found.domain.as_ref().is_none_or(|domain| domain.eq_ignore_ascii_case(wanted)));
    }
    if reading.found.is_empty() && reading.skipped.is_empty() {
        return Err(Failure::usage("there are no accounts in it"));
    }
    refuse_other_realms(&reading.found, target)?;
    let (mut accounts, mut skipped, mut names) = (Vec::new(), reading.skipped, BTreeSet::new());
    for found in reading.found {
        let why = if !valid_name(&found.name) {
            "this cannot be a user's name here".to_owned()
        } else if !names.insert(found.name.clone()) {
            "there is another of this name in the file, which was taken".to_owned()
        } else {
            match secrets(&found, target) {
                Ok(secrets) => {
                    accounts.push(Account { name: found.name, realm: target.realm.to_owned(), secrets });
                    continue;
                }
                Err(why) => why,
            }
        };
        skipped.push(Skipped { line: found.line, name: found.name, why });
    }
    skipped.sort_by_key(|skipped| skipped.line);
    Ok(Import { accounts, skipped })
}

/// Nobody is taken over where somebody's phone would then be refused: it is one setting that decides about all.
fn refuse_other_realms(found: &[Found], target: &Target<'_>) -> Result<(), Failure> {
    let mut realms: BTreeMap<&str, usize> = BTreeMap::new();
    let mut fitting = 0;
    for found in found {
        match &found.credential {
            Credential::Ha1 { realm, .. } if realm != target.realm => *realms.entry(realm).or_default() += 1,
            _ => fitting += 1,
        }
    }
    let Some((realm, _)) = realms.iter().max_by_key(|(_, count)| **count) else { return Ok(()) };
    let listed: Vec<String> = realms.iter().map(|(realm, count)| format!("{count} for realm {realm:?}")).collect();
    let mut text = format!(
        "nothing is imported: HA1 values are good for one realm only, and auth.realm is {:?}, but there are {}",
        target.realm,
        listed.join(", ")
    );
    if realms.len() == 1 && fitting == 0 {
        text += &format!(
            "\nset auth.realm = {realm:?} in [auth], and import them then: phones will not notice the difference"
        );
    } else {
        text += &format!(
            "\nan exchange has one realm: set auth.realm = {realm:?} (most fit that), and import only its accounts with --domain {realm}; the others need new passwords"
        );
    }
    Err(Failure::negative(text))
}

fn secrets(found: &Found, target: &Target<'_>) -> Result<Secrets, String> {
    match &found.credential {
        Credential::Password(password) if password.is_empty() => Err("the password is empty".to_owned()),
        Credential::Password(password) => Ok(Secrets::of(&sip_auth::Secrets::new(&found.name, target.realm, password))),
        Credential::Ha1 { md5, sha256, .. } => {
            for (algorithm, there) in
                [(Algorithm::Md5, md5.is_some()), (Algorithm::Sha256, sha256.is_some()), (Algorithm::Sha512_256, false)]
            {
                if target.algorithms.contains(&algorithm) && !there {
                    return Err(format!(
                        "there is no HA1 for {0}, and auth.algorithms has {0}: without the password that cannot work",
                        algorithm.as_str()
                    ));
                }
            }
            Ok(Secrets { ha1_md5: md5.clone(), ha1_sha256: sha256.clone(), ha1_sha512_256: None })
        }
    }
}

/// A digest by its length: of MD5 or of SHA-256.
fn ha1(text: &str, realm: &str) -> Option<Credential> {
    let text = text.trim().to_ascii_lowercase();
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let realm = realm.to_owned();
    match text.len() {
        32 if hexadecimal => Some(Credential::Ha1 { realm, md5: Some(text), sha256: None }),
        64 if hexadecimal => Some(Credential::Ha1 { realm, md5: None, sha256: Some(text) }),
        _ => None,
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::Password(_) => f.write_str("Password(secret)"),
            Credential::Ha1 { realm, .. } => write!(f, "Ha1(secret, for {realm:?})"),
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.is_empty() {
            true => write!(f, "line {}: {}", self.line, self.why),
            false => write!(f, "line {}: {}: {}", self.line, self.name, self.why),
        }
    }
}

#[cfg(test)]
mod tests;
