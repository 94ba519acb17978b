use crate::logs;
use serde_json::{Map, Value};
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use tracing::Level;

/// Where words and events go: words to standard output, or to standard error while events go to standard output as JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) color: bool,
}

impl Console {
    /// Words for people.
    pub(crate) fn say(&self, words: impl Display) {
        match (self.quiet, self.json) {
            (true, _) => {}
            // Who reads a log in JSON reads the events as well.
            (false, true) if logs::are_json() => {}
            (false, true) => write_line(&mut std::io::stderr(), &words),
            (false, false) => write_line(&mut std::io::stdout(), &words),
        }
    }

    /// Why something did not work: said even when quiet, and not as an error of this program.
    pub(crate) fn complain(&self, words: impl Display) {
        if logs::are_json() {
            return log(Level::WARN, words);
        }
        match (self.quiet, self.json) {
            (true, _) | (_, true) => write_line(&mut std::io::stderr(), &words),
            (false, false) => write_line(&mut std::io::stdout(), &words),
        }
    }

    /// What was asked for: said even when quiet, and as an event when JSON is wanted.
    pub(crate) fn tell(&self, words: impl Display, event: impl FnOnce() -> Value) {
        if self.json {
            self.event(&event());
        } else {
            write_line(&mut std::io::stdout(), &words);
        }
    }

    /// One event, if somebody wants events.
    pub(crate) fn event(&self, event: &Value) {
        if self.json {
            write_line(&mut std::io::stdout(), event);
        }
    }

    /// What went wrong.
    pub(crate) fn error(&self, words: impl Display) {
        if logs::are_json() {
            return log(Level::ERROR, words);
        }
        let (red, plain) = if self.color { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        write_line(&mut std::io::stderr(), &format!("{red}error{plain}: {words}"));
    }

    /// What somebody should look at one day.
    pub(crate) fn warn(&self, words: impl Display) {
        if logs::are_json() {
            return log(Level::WARN, words);
        }
        let (yellow, plain) = if self.color { ("\x1b[1;33m", "\x1b[0m") } else { ("", "") };
        write_line(&mut std::io::stderr(), &format!("{yellow}warning{plain}: {words}"));
    }

    /// Emphasis for a terminal.
    pub(crate) fn bold(&self, words: impl Display) -> String {
        if self.color { format!("\x1b[1m{words}\x1b[0m") } else { words.to_string() }
    }

    /// From now on logs go to standard error: warnings, with each `-v` more; `RUST_LOG` says it in detail.
    pub(crate) fn start_logs(&self, verbose: u8) {
        let level = match (self.quiet, verbose) {
            (true, _) => "error",
            (false, 0) => "warn",
            (false, 1) => "info",
            (false, 2) => "debug",
            (false, _) => "trace",
        };
        logs::start(level, self.color);
    }
}

/// Whether colours are welcome: <https://no-color.org>, and nobody wants them in a file.
pub(crate) fn wants_color(no_color: bool) -> bool {
    let refused = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::io::stderr().is_terminal() && std::io::stdout().is_terminal()
}

/// A line of the log, whatever it lets through.
fn log(level: Level, words: impl Display) {
    write_line(&mut std::io::stderr(), &logs::line(level, "ringback", words, Map::new()));
}

/// A reader who has gone away is no reason to fail.
fn write_line(to: &mut impl Write, line: &impl Display) {
    let _ = writeln!(to, "{}", harmless(line.to_string())).and_then(|()| to.flush());
}

/// What terminals are told by us; by nobody else, though words may hold what strangers have sent: their names, their phones' names.
const OURS: [&str; 4] = ["\x1b[0m", "\x1b[1m", "\x1b[1;31m", "\x1b[1;33m"];

/// Text in which every other control character, but for line ends and tabs, is shown as U+FFFD.
fn harmless(text: String) -> String {
    let told = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(told) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(told) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let ours = OURS.into_iter().find(|sequence| from.starts_with(sequence));
        out.push_str(ours.unwrap_or("\u{fffd}"));
        let taken = ours.map_or_else(|| from.chars().next().map_or(0, char::len_utf8), str::len);
        rest = &from[taken..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn nobody_but_us_tells_a_terminal_anything() {
        let shown = |text: &str| harmless(text.to_owned());
        assert_eq!(shown("a\tb\nc \u{2713}"), "a\tb\nc \u{2713}");
        assert_eq!(shown("\x1b[1mbold\x1b[0m"), "\x1b[1mbold\x1b[0m");
        assert_eq!(shown("phone\x1b[31m\r\u{9b}2J\u{7}"), "phone\u{fffd}[31m\u{fffd}\u{fffd}2J\u{fffd}");
    }
}
