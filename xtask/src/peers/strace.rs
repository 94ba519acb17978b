//! strace (Debian) at a program that runs already: what it asks of the kernel, in order, and what the kernel is made to answer.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{Process, Scope};
use crate::usage::members;

const SOON: Duration = Duration::from_secs(20);
/// Bytes of a buffer that are shown: a batch of messages fits.
const STRING_MAX: &str = "65535";

/// A strace that is attached; without it, the program goes on as before.
pub(crate) struct Strace {
    process: Process,
    file: PathBuf,
}

/// The process of this group that runs `program`, however it was started.
pub(crate) fn process_of(group: &Process, program: &str) -> Result<u32> {
    let named = |id: u32| std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == program);
    let found = members(group.group())?.into_iter().map(|member| member.id).find(|id| named(*id));
    found.with_context(|| format!("no {program} runs"))
}

impl Strace {
    /// Attaches to all threads of the exchange. Returns when every call is seen.
    pub(crate) fn attach(scope: &Scope, exchange: &Process, arguments: &[&str]) -> Result<Self> {
        let id = process_of(exchange, "ringback")?;
        let file = scope.dir().join("strace.txt");
        let mut command = Command::new("strace");
        command.args(["-f", "-v", "-y", "-s", STRING_MAX, "-p", &id.to_string(), "-o"]).arg(&file).args(arguments);
        let mut process = scope.start("strace", &command)?;
        let threads = || Ok::<_, anyhow::Error>(std::fs::read_dir(format!("/proc/{id}/task"))?.count());
        process.wait_until("attached threads", SOON, |output| {
            let attached = output.matches(" attached").count();
            // "attached with N threads" stands for N + 1.
            let with: usize = output
                .split("attached with ")
                .nth(1)
                .and_then(|rest| rest.split(' ').next()?.parse().ok())
                .unwrap_or(1);
            (attached > 0 && attached - 1 + with >= threads().unwrap_or(0)).then_some(())
        })?;
        Ok(Self { process, file })
    }

    /// Lets the program go; what was seen.
    pub(crate) fn detach(mut self) -> Result<String> {
        self.process.signal("INT");
        self.process.wait(SOON)?;
        read(&self.file)
    }
}

fn read(path: &Path) -> Result<String> {
    Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())
}

/// One call that was finished. Its places are the lines at which it began and had ended.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// Everything between the brackets.
    pub(crate) arguments: String,
    pub(crate) result: i64,
    pub(crate) began: usize,
    pub(crate) ended: usize,
}

/// The calls in what strace wrote with `-f`, in the order in which they began. Those without a result are left out.
pub(crate) fn calls(text: &str) -> Result<Vec<Call>> {
    let mut unfinished: HashMap<&str, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let Some((id, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.insert(id, (place, begun.to_owned()));
            continue;
        }
        let (began, whole) = match rest.strip_prefix("<... ") {
            Some(resumed) => {
                // One that was under way when strace came is known by its end only.
                let Some((began, head)) = unfinished.remove(id) else { continue };
                let (_, tail) = resumed.split_once(" resumed>").with_context(|| format!("strace wrote {rest}"))?;
                (began, head + tail)
            }
            None => (place, rest.to_owned()),
        };
        let Some((name, rest)) = whole.split_once('(') else { bail!("strace wrote {whole}") };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { continue };
        let Ok(result) = result.split_whitespace().next().unwrap_or_default().parse() else { continue };
        let arguments = arguments.trim_end().trim_end_matches(')').to_owned();
        calls.push(Call { name: name.to_owned(), arguments, result, began, ended: place });
    }
    ensure!(!calls.is_empty(), "strace saw nothing");
    calls.sort_by_key(|call| call.began);
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_several_threads_are_told_apart() -> Result<()> {
        let text = "7 fdatasync(3</x/db-wal> <unfinished ...>\n8 write(4</y>, \"a = b\", 5) = 5\n7 <... fdatasync resumed>) = 0\n\
                    9 <... futex resumed>) = 0\n8 +++ exited with 0 +++\n7 fsync(3</x>) = -1 EIO (Input/output error) (INJECTED)\n";
        let calls = calls(text)?;
        let seen: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.began, call.ended, call.result)).collect();
        assert_eq!(seen, [("fdatasync", 0, 2, 0), ("write", 1, 1, 5), ("fsync", 5, 5, -1)]);
        assert_eq!(calls[0].arguments, "3</x/db-wal>");
        Ok(())
    }
}
