//! What a program under test uses of the machine: processor time and memory, with all processes of its group.

use std::fs;

use anyhow::Result;

use crate::process::Process;

/// Processor time so far of all processes in the server's group, in microseconds. The scheduler's own count: that of /proc/ID/stat comes in
/// hundredths of a second, of user and system time apart, which is as much as 4,000 registrations cost.
pub(crate) fn cpu_us(server: &Process) -> Result<u64> {
    let processes = members(server.group())?;
    Ok(processes.iter().map(|process| run_ns(process.id)).sum::<u64>() / 1000)
}

/// Memory of all processes in the server's group; shared pages are divided among those that share them.
pub(crate) fn memory_kb(server: &Process) -> Result<u64> {
    let mut total = 0;
    for process in members(server.group())? {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.id)).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        total += line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(total)
}

/// What all programs together used of one core so far, in microseconds (proc(5): user, nice and system time).
pub(crate) fn core_us(core: u32) -> Result<u64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let name = format!("cpu{core} ");
    let fields = stat.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_default();
    Ok(fields.split_whitespace().take(3).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10_000)
}

/// What all threads of a process that still run have run, in nanoseconds: the first number of /proc/ID/task/ID/schedstat (the kernel's
/// sched-stats).
fn run_ns(id: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok());
    stats.filter_map(|stat| stat.split(' ').next()?.parse::<u64>().ok()).sum()
}

/// One process of a group.
pub(crate) struct Member {
    pub(crate) id: u32,
}

/// Every process of the group that still runs, from /proc/ID/stat (proc(5): after the name in brackets, the state is field 3,
/// the group 5).
pub(crate) fn members(group: u32) -> Result<Vec<Member>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((_, rest)) = stat.rsplit_once(')') else { continue };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let dead = matches!(fields.first(), Some(&("Z" | "X")));
        if field(5) == u64::from(group) && !dead {
            found.push(Member { id });
        }
    }
    Ok(found)
}
