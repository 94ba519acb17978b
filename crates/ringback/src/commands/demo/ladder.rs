use crate::console::Console;
use bytes::Bytes;
use engine::Now;
use net::{Direction, Tap};
use serde_json::json;
use sip_message::Message;
use sip_transaction::Flow;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Columns between two of the vertical lines.
const WIDTH: usize = 30;
/// Lines that may wait to be printed; a demo has some dozens.
const LINES_MAX: usize = 1024;

/// The names of the columns: a phone, the exchange, a phone.
const COLUMNS: [&str; 3] = ["100", "exchange", "101"];

/// Watches the exchange's messages and has them printed as a ladder, by another thread.
pub(super) struct Ladder {
    lines: SyncSender<Line>,
    started: Instant,
    /// The ports of the first and of the last column.
    ports: OnceLock<[u16; 2]>,
}

pub(super) enum Line {
    Arrow {
        at: Duration,
        from: usize,
        to: usize,
        what: String,
    },
    /// Between the first column and the last.
    Sound {
        at: Duration,
    },
}

impl Ladder {
    pub(super) fn new() -> (Ladder, Receiver<Line>) {
        let (lines, receiver) = sync_channel(LINES_MAX);
        (Ladder { lines, started: Instant::now(), ports: OnceLock::new() }, receiver)
    }

    /// Says whose ports those are; nothing is shown before.
    pub(super) fn name_ports(&self, ports: [u16; 2]) {
        let _ = self.ports.set(ports);
    }

    /// Sound flows.
    pub(super) fn sound(&self) {
        let _ = self.lines.try_send(Line::Sound { at: self.started.elapsed() });
    }
}

impl Tap for Ladder {
    fn handle_message(&self, now: Now, flow: &Flow, direction: Direction, bytes: &[u8]) {
        let position = |ports: &[u16; 2]| ports.iter().position(|port| *port == flow.remote.port());
        let Some(end) = self.ports.get().and_then(position) else { return };
        let (from, to) = match direction {
            Direction::Received => (end * 2, 1),
            Direction::Sent => (1, end * 2),
        };
        let at = now.mono.saturating_duration_since(self.started);
        // A line more or less is no reason to hold a driver up.
        let _ = self.lines.try_send(Line::Arrow { at, from, to, what: what(bytes) });
    }
}

fn what(bytes: &[u8]) -> String {
    match Message::parse(Bytes::copy_from_slice(bytes)) {
        Ok(message) if message.is_request() => message.method_text().to_owned(),
        Ok(message) => format!("{} {}", message.status(), message.reason()),
        Err(_) => "?".to_owned(),
    }
}

/// Prints lines until nobody can make any more.
pub(super) fn print(lines: &Receiver<Line>, console: &Console) {
    let head: String = COLUMNS.iter().map(|name| format!("{name:^width$}", width = WIDTH + 1)).collect();
    console.say(format!("{:10}{}", "", console.bold(head.trim_end())));
    for line in lines {
        console.say(drawn(&line));
        console.event(&match line {
            Line::Arrow { at, from, to, what } => json!({
                "event": "message", "at_ms": at.as_millis() as u64, "from": COLUMNS[from], "to": COLUMNS[to], "what": what,
            }),
            Line::Sound { at } => json!({"event": "sound", "at_ms": at.as_millis() as u64}),
        });
    }
}

fn drawn(line: &Line) -> String {
    let (at, body) = match line {
        Line::Arrow { at, from, to, what } => {
            let shaft = format!(" {} ", cut(what));
            let (left, right) = if from < to { ("-", ">") } else { ("<", "-") };
            let arrow = format!("|{left}{shaft:-^width$}{right}|", width = WIDTH - 2);
            let empty = " ".repeat(WIDTH);
            (at, if from.min(to) == &0 { format!("{arrow}{empty}|") } else { format!("|{empty}{arrow}") })
        }
        Line::Sound { at } => (at, format!("|<{:=^width$}>|", " speech, both ways ", width = 2 * WIDTH - 1)),
    };
    format!("{:>6} ms {}{body}", at.as_millis(), " ".repeat(WIDTH / 2))
}

/// As many words as fit on an arrow.
fn cut(what: &str) -> String {
    let mut text = String::new();
    for word in what.split(' ').filter(|word| !word.is_empty()) {
        if !text.is_empty() && text.len() + 1 + word.len() > WIDTH - 6 {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Line, drawn};
    use std::time::Duration;

    fn arrow(from: usize, to: usize, what: &str) -> String {
        drawn(&Line::Arrow { at: Duration::from_millis(12), from, to, what: what.into() })
    }

    #[test]
    fn arrows_point_and_lines_are_as_long_as_each_other() {
        let lines = [
            arrow(0, 1, "INVITE"),
            arrow(1, 0, "407 Proxy Authentication Required"),
            arrow(1, 2, "INVITE"),
            arrow(2, 1, "200 OK"),
            drawn(&Line::Sound { at: Duration::from_secs(100) }),
        ];
        assert!(lines[0].contains("|----------- INVITE ---------->|"), "{}", lines[0]);
        assert!(lines[1].contains("|<- 407 Proxy Authentication --|"), "{}", lines[1]);
        assert!(lines[2].ends_with(">|") && lines[3].contains("|<") && lines[4].contains("speech"));
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{lines:#?}");
    }
}
