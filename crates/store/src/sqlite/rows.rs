use crate::backend::Row;
use crate::checksum::checksum;
use crate::{Account, RECORDS_MAX, StoredRoute};
use engine::Network;
use guard::Ban;
use routing::{AddressPattern, Forwards, Limits, NO_ANSWER_AFTER_S, Place};
use rusqlite::{Connection, Result, params};
use sip_auth::Secrets;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

pub(super) fn write(connection: &Connection, row: &Row) -> Result<()> {
    match row {
        Row::Account(account) => write_account(connection, account),
        Row::NoAccount(name) => execute(connection, "DELETE FROM account WHERE name = ?1", [name]),
        Row::Route(StoredRoute { name, toml }) => {
            let sql = "INSERT INTO route (name, toml) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET toml = ?2";
            execute(connection, sql, [name, toml])
        }
        Row::NoRoute(name) => execute(connection, "DELETE FROM route WHERE name = ?1", [name]),
        Row::Record(record) => super::records::write(connection, record),
        Row::Nothing => Ok(()),
        Row::Ban(ban) => {
            let sql = "INSERT OR REPLACE INTO ban (network, until_ms, why, times) VALUES (?1, ?2, ?3, ?4)";
            let network = ban.network.to_string();
            execute(connection, sql, params![network, to_ms(ban.until), ban.why, ban.times])
        }
        Row::NoBan(network) => execute(connection, "DELETE FROM ban WHERE network = ?1", [network.to_string()]),
    }
}

fn execute(connection: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<()> {
    connection.prepare_cached(sql)?.execute(params).map(drop)
}

fn write_account(connection: &Connection, account: &Account) -> Result<()> {
    let Account { name, realm, secrets, forwards, limits } = account;
    let sql = "INSERT OR REPLACE INTO account (name, realm, ha1_md5, ha1_sha256, ha1_sha512_256, calls, calls_per_hour, \
               destinations, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let row = params![
        name,
        realm,
        secrets.md5,
        secrets.sha256,
        secrets.sha512_256,
        limits.as_ref().map(|limits| limits.calls),
        limits.as_ref().map(|limits| limits.calls_per_hour),
        limits.as_ref().map(destinations),
        sum_of(account),
    ];
    // Which takes the forwards of one that is replaced away.
    execute(connection, sql, row)?;
    for (condition, place) in forwards.places() {
        let after_s = (condition == "no_answer").then_some(forwards.no_answer_after_s);
        let sql = "INSERT INTO forward (account, condition, place, after_s) VALUES (?1, ?2, ?3, ?4)";
        execute(connection, sql, params![name, condition, place.as_str(), after_s])?;
    }
    Ok(())
}

fn destinations(limits: &Limits) -> String {
    limits.destinations.iter().map(|pattern| format!("{pattern}\n")).collect()
}

/// Over everything in it.
fn sum_of(account: &Account) -> i64 {
    let Account { name, realm, secrets, forwards, limits } = account;
    let mut bytes = format!("{name}\0{realm}\0").into_bytes();
    bytes.extend_from_slice(&secrets.md5);
    bytes.extend_from_slice(&secrets.sha256);
    bytes.extend_from_slice(secrets.sha512_256.as_ref().map_or(&[], |secret| &secret[..]));
    for (condition, place) in forwards.places() {
        bytes.extend_from_slice(format!("\0{condition} {} {place}", forwards.no_answer_after_s).as_bytes());
    }
    if let Some(limits) = limits {
        let Limits { calls, calls_per_hour, .. } = limits;
        bytes.extend_from_slice(format!("\0{calls} {calls_per_hour} {}", destinations(limits)).as_bytes());
    }
    checksum(&bytes) as i64
}

pub(super) type Rows = (Vec<Account>, Vec<StoredRoute>, Vec<Ban>);

/// Everything but bindings and call records; the inner error says what cannot be understood.
pub(super) fn load(connection: &Connection) -> Result<std::result::Result<Rows, String>> {
    let mut forwards: HashMap<String, Vec<(String, String, Option<u32>)>> = HashMap::new();
    let mut query = connection.prepare("SELECT account, condition, place, after_s FROM forward")?;
    for row in query.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?))))? {
        let (account, forward) = row?;
        forwards.entry(account).or_default().push(forward);
    }
    let mut accounts = Vec::new();
    let mut query = connection.prepare("SELECT * FROM account ORDER BY name")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get("name")?;
        let theirs = forwards.remove(&name).unwrap_or_default();
        let account = read_account(row, &name, theirs);
        match account {
            Some(account) if row.get::<_, i64>("checksum")? == sum_of(&account) => accounts.push(account),
            _ => return Ok(Err(format!("the account of {name:?} is not as it was written"))),
        }
    }
    let mut query = connection.prepare("SELECT name, toml FROM route ORDER BY place")?;
    let routes = query.query_map([], |row| Ok(StoredRoute { name: row.get(0)?, toml: row.get(1)? }))?;
    let routes = routes.collect::<Result<_>>()?;
    let mut bans = Vec::new();
    let mut query = connection.prepare("SELECT network, until_ms, why, times FROM ban")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let network: String = row.get(0)?;
        let Ok(network) = Network::parse(&network) else {
            return Ok(Err(format!("a ban of {network:?}, which is none")));
        };
        bans.push(Ban { network, until: from_ms(row.get(1)?), why: row.get(2)?, times: row.get(3)? });
    }
    Ok(Ok((accounts, routes, bans)))
}

fn read_account(row: &rusqlite::Row<'_>, name: &str, forwards: Vec<(String, String, Option<u32>)>) -> Option<Account> {
    let secrets = Secrets {
        md5: row.get("ha1_md5").ok()?,
        sha256: row.get("ha1_sha256").ok()?,
        sha512_256: row.get("ha1_sha512_256").ok()?,
    };
    let calls: Option<u32> = row.get("calls").ok()?;
    let limits = match calls {
        None => None,
        Some(calls) => {
            let lines: String = row.get("destinations").ok()?;
            let destinations = lines.lines().map(AddressPattern::parse).collect::<std::result::Result<_, _>>().ok()?;
            Some(Limits { calls, calls_per_hour: row.get("calls_per_hour").ok()?, destinations })
        }
    };
    let mut read = Forwards::default();
    for (condition, place, after_s) in forwards {
        let place = Some(Place::parse(&place).ok()?);
        match condition.as_str() {
            "always" => read.always = place,
            "busy" => read.busy = place,
            "not_registered" => read.not_registered = place,
            "no_answer" => (read.no_answer, read.no_answer_after_s) = (place, after_s.unwrap_or(NO_ANSWER_AFTER_S)),
            _ => return None,
        }
    }
    let realm = row.get("realm").ok()?;
    Some(Account { name: name.to_owned(), realm, secrets, forwards: read, limits })
}

/// Forgets records of calls that began before `before`, and the oldest where there are too many; so many at most. Says how many.
pub(super) fn forget_records(connection: &Connection, before: SystemTime, at_once: usize) -> Result<usize> {
    let old = "DELETE FROM record WHERE number IN \
               (SELECT number FROM record WHERE started_ms < ?1 ORDER BY started_ms LIMIT ?2)";
    let forgotten = connection.prepare_cached(old)?.execute(params![to_ms(before), at_once as i64])?;
    let many = "DELETE FROM record WHERE number IN (SELECT number FROM record WHERE number <= \
                (SELECT coalesce(max(number), 0) FROM record) - ?1 ORDER BY number LIMIT ?2)";
    let left = at_once.saturating_sub(forgotten);
    Ok(forgotten + connection.prepare_cached(many)?.execute(params![RECORDS_MAX as i64, left as i64])?)
}

/// Milliseconds since 1970; what is before counts as that.
pub(super) fn to_ms(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

pub(super) fn from_ms(ms: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms.max(0) as u64)
}
