//! A 200 to a REGISTER is a promise: seen from the kernel, it leaves after the log that holds its binding was written, and synced.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use engine::Rng;

use super::{Needs, Row, World};
use crate::peers::ringback::{self, Setup};
use crate::peers::strace::{Call, Strace, calls};
use crate::process::tail;
use crate::torment::Client;

pub(super) const SCENARIOS: &[Row] =
    &[("each_200_to_a_register_leaves_after_its_sync", Needs::Ringback, after_its_sync)];

const PHONES: usize = 80;
const REGISTERS_PER_S: u32 = 300;
const WATCHED: Duration = Duration::from_secs(3);
/// Fewer, and nothing was seen.
const SEEN_MIN: usize = 100;
/// One in so many may have been written before strace came, or have its name cut in two by the end of a page.
const UNSEEN_ONE_IN: usize = 20;
const SEEN: &str = "trace=pwrite64,pwritev,pwritev2,write,writev,fdatasync,fsync,sendmmsg,sendmsg,sendto";

fn after_its_sync(world: &World) -> Result<()> {
    let ip = world.exchange_ip();
    let users: Vec<String> = (0..PHONES).map(|number| format!("p{number}")).collect();
    let exchange = ringback::start(&world.scope, &Setup { users: users.clone(), ..Setup::on(&ip) })?;
    let rates = [REGISTERS_PER_S, 0];
    let mut client = Client::new(&world.scope.ip(2), &ip, &users, &[], rates, Rng::from_u64(1))?;
    client.drive(Duration::from_secs(20), false, |client| client.phones.all_registered())?;
    let strace = Strace::attach(&world.scope, &exchange, &["-e", SEEN])?;
    client.drive(WATCHED, false, |_| false)?;
    let calls = calls(&strace.detach()?)?;
    ensure!(client.phones.tally.faults.is_empty(), "{:?}", client.phones.tally.faults);
    let (seen, groups) = check(&calls).map_err(|error| error.context(tail(&exchange.output())))?;
    println!("  ({seen} registrations in {groups} groups, each synced before it was acknowledged)");
    ensure!(seen >= SEEN_MIN, "only {seen} acknowledged registrations were seen");
    Ok(())
}

/// How many registrations were acknowledged, and how many syncs they took; an error for the first that was acknowledged too early.
fn check(calls: &[Call]) -> Result<(usize, usize)> {
    // Where the log has each contact first, and when that write had ended.
    let mut written: HashMap<&str, usize> = HashMap::new();
    let mut syncs: Vec<(usize, usize)> = Vec::new();
    let mut acknowledged = Vec::new();
    for call in calls {
        match call.name.as_str() {
            "fdatasync" | "fsync" if call.result == 0 && is_log(call) => syncs.push((call.began, call.ended)),
            "pwrite64" | "pwritev" | "pwritev2" | "write" | "writev" if is_log(call) => {
                for contact in contacts(&call.arguments) {
                    written.entry(contact).or_insert(call.ended);
                }
            }
            name if name.starts_with("send") => {
                let answers = call.arguments.split("SIP/2.0 200").skip(1).filter(|it| it.contains(" REGISTER\\r\\n"));
                acknowledged.extend(answers.filter_map(|answer| Some((newest(answer)?, call.began))));
            }
            _ => {}
        }
    }
    let mut groups = std::collections::BTreeSet::new();
    let mut unseen = 0;
    for (contact, sent) in &acknowledged {
        let Some(written) = written.get(contact) else {
            unseen += 1;
            continue;
        };
        let sync = syncs.iter().find(|(began, ended)| began > written && ended < sent);
        ensure!(
            sync.is_some(),
            "{contact} was written by line {written} and acknowledged at line {sent}, with no sync between"
        );
        groups.insert(sync);
    }
    ensure!(
        unseen * UNSEEN_ONE_IN <= acknowledged.len(),
        "{unseen} of {} acknowledged were not written",
        acknowledged.len()
    );
    Ok((acknowledged.len() - unseen, groups.len()))
}

fn is_log(call: &Call) -> bool {
    call.arguments.split('>').next().is_some_and(|file| file.ends_with("-wal"))
}

/// The user parts of the contacts in a text: `p5-00017`.
fn contacts(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("sip:p").filter_map(|(at, _)| {
        let rest = &text[at + 4..];
        let contact = rest.split('@').next()?;
        (contact.len() < 12 && contact.contains('-')).then_some(contact)
    })
}

/// The contact with the highest number: the one that this answer is about.
fn newest(answer: &str) -> Option<&str> {
    contacts(answer).max_by_key(|contact| contact.rsplit('-').next().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Result<(usize, usize)> {
        check(&calls(text)?)
    }

    const WRITE: &str = "1 pwrite64(3</d/x.db-wal>, \"..sip:p1-00002@..\", 4096, 32) = 4096\n";
    const SYNC: &str = "1 fdatasync(3</d/x.db-wal>) = 0\n";
    const SEND: &str = "2 sendmmsg(9<UDP:[..]>, [{iov_base=\"SIP/2.0 200 OK\\r\\nCSeq: 2 REGISTER\\r\\nContact: <sip:p1-00001@a>\\r\\n\
                        Contact: <sip:p1-00002@a>\\r\\n\"}], 1, 0) = 1\n";

    #[test]
    fn a_200_after_its_sync_is_good_and_any_other_order_is_not() -> Result<()> {
        assert_eq!(seen(&[WRITE, SYNC, SEND].concat())?, (1, 1));
        assert!(seen(&[WRITE, SEND, SYNC].concat()).is_err());
        assert!(seen(&[SYNC, WRITE, SEND].concat()).is_err());
        let failed = SYNC.replace("= 0", "= -1 EIO");
        assert!(seen(&[WRITE, &failed, SEND].concat()).is_err());
        // A sync that had begun before the write does not cover it.
        let (begun, ended) = ("3 fsync(3</d/x.db-wal> <unfinished ...>\n", "3 <... fsync resumed>) = 0\n");
        assert!(seen(&[begun, WRITE, ended, SEND].concat()).is_err());
        Ok(())
    }
}
