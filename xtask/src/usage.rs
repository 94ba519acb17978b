//! What a program under test uses of the machine: processor time and memory, with all processes of its group.

use std::fs;

use anyhow::Result;

use crate::process::Process;

/// User and system time so far of all processes in the server's group, in microseconds.
pub(crate) fn cpu_us(server: &Process) -> Result<u64> {
    let mut ticks = 0;
    for process in members(server.group())? {
        ticks += process.ticks;
    }
    // Linux reports in hundredths of a second whatever the kernel's own clock (USER_HZ).
    Ok(ticks * 10_000)
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

/// One process of a group.
pub(crate) struct Member {
    id: u32,
    ticks: u64,
}

/// Every process of the group that still runs, from /proc/ID/stat (proc(5): after the name in brackets, the state is field 3, the
/// group 5, utime 14, stime 15).
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
            found.push(Member { id, ticks: field(14) + field(15) });
        }
    }
    Ok(found)
}
