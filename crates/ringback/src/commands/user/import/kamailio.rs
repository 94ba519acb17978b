//! Kamailio's `subscriber` table (and OpenSIPS's, which is the same).

use super::{Credential, Found, Reading, Skipped, ha1, rows, sql};
use crate::control::Secrets;

/// The columns of that table where a dump does not name them: since Kamailio 4.2, and before.
const COLUMNS: [&[&str]; 2] = [
    &["id", "username", "domain", "password", "ha1", "ha1b"],
    &["id", "username", "domain", "password", "email_address", "ha1", "ha1b", "rpid"],
];

/// The columns of a table without a heading.
const WITHOUT_HEADING: [&str; 4] = ["username", "domain", "ha1", "ha1b"];

/// Reads a dump, or rows.
pub(super) fn read(text: &str) -> Result<Reading, String> {
    if !sql::is_sql(text) {
        let mut rows = rows::read(text);
        let names: Vec<String> =
            rows.first().map_or(Vec::new(), |(_, row)| row.iter().map(|name| name.to_ascii_lowercase()).collect());
        let heading = names.iter().any(|name| name == "username");
        if heading {
            rows.remove(0);
        }
        let columns = if heading { names } else { WITHOUT_HEADING.map(str::to_owned).to_vec() };
        return of_rows(&columns, rows);
    }
    let table = sql::read(text, "subscriber")?;
    let Some((line, first)) = table.rows.first() else {
        return Err("there is no `INSERT INTO subscriber` in this dump".to_owned());
    };
    if !table.columns.is_empty() {
        return of_rows(&table.columns, table.rows);
    }
    let known = COLUMNS.iter().find(|columns| columns.len() == first.len()).ok_or_else(|| {
        format!(
            "line {line}: {} values, and nothing says which is which: dump the table with its CREATE TABLE",
            first.len()
        )
    })?;
    let columns: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
    of_rows(&columns, table.rows)
}

fn of_rows(columns: &[String], rows: Vec<(usize, Vec<String>)>) -> Result<Reading, String> {
    let column = |name: &str| columns.iter().position(|column| column == name);
    let (Some(username), Some(domain)) = (column("username"), column("domain")) else {
        return Err(format!("the columns username and domain are needed, there are {}", columns.join(", ")));
    };
    let (ha1_at, password_at) = (column("ha1"), column("password"));
    if ha1_at.is_none() && password_at.is_none() {
        return Err(format!("a column ha1 (or password) is needed, there are {}", columns.join(", ")));
    }
    let mut reading = Reading::default();
    for (line, row) in rows {
        let field = |at: Option<usize>| at.and_then(|at| row.get(at)).map_or("", String::as_str);
        let (name, domain) = (field(Some(username)).to_owned(), field(Some(domain)).to_owned());
        match credential(&name, &domain, field(ha1_at), field(password_at)) {
            Ok(credential) => reading.found.push(Found { line, name, domain: Some(domain), credential }),
            Err(why) => reading.skipped.push(Skipped { line, name, why: why.to_owned() }),
        }
    }
    Ok(reading)
}

/// A password is as good as its HA1, and fits any realm; but only the one that the HA1 was made of is the phone's.
fn credential(name: &str, domain: &str, digest: &str, password: &str) -> Result<Credential, &'static str> {
    if digest.is_empty() {
        let password = Some(password).filter(|password| !password.is_empty());
        return password
            .map(|password| Credential::Password(password.to_owned()))
            .ok_or("it has neither a ha1 nor a password");
    }
    let digest = ha1(digest, domain).ok_or("its ha1 is not 32 (or, of SHA-256, 64) hexadecimal digits")?;
    let secrets = Secrets::of(&sip_auth::Secrets::new(name, domain, password));
    Ok(match &digest {
        Credential::Ha1 { md5, sha256, .. } if *md5 == secrets.ha1_md5 || *sha256 == secrets.ha1_sha256 => {
            Credential::Password(password.to_owned())
        }
        _ => digest,
    })
}
