use crate::Fate;
use std::time::Duration;

/// A scenario as text, taken apart. The grammar is told at [`check`](crate::check).
#[derive(Debug, Default)]
pub(crate) struct Ladder {
    /// The clauses of the `given` lines.
    pub(crate) givens: Vec<Vec<String>>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug)]
pub(crate) struct Step {
    /// Since the step before.
    pub(crate) after: Duration,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Message(Rung),
    /// One end closes the stream between both.
    Closes {
        from: String,
        to: String,
    },
    /// What is stuck turns out not to be sendable.
    Refuses,
    /// What a person does with a phone.
    Does {
        name: String,
        words: Vec<String>,
    },
    /// Time passes.
    Nothing,
}

/// One message of the ladder.
#[derive(Debug, Clone)]
pub(crate) struct Rung {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) stream: bool,
    /// `INVITE bob`, `180`, `200 CANCEL`, `INVITE again`
    pub(crate) words: String,
    /// Header fields: to be sent, or to be found.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) fate: Option<Fate>,
}

impl Ladder {
    pub(crate) fn parse(text: &str) -> Ladder {
        let mut ladder = Ladder::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            ladder.line(line);
        }
        ladder
    }

    fn line(&mut self, line: &str) {
        if let Some(givens) = line.strip_prefix("given ") {
            let clauses = givens.split(',').map(|clause| clause.split_whitespace().map(str::to_owned).collect());
            return self.givens.extend(clauses);
        }
        let (after, rest) = match line.strip_prefix('+') {
            Some(line) => {
                let (time, rest) = line.split_once(' ').unwrap_or((line, ""));
                (duration(time), rest.trim())
            }
            None => (Duration::ZERO, line),
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        match words[..] {
            [] => self.push(after, What::Nothing),
            [from, "closes", to] => self.push(after, What::Closes { from: from.to_owned(), to: to.to_owned() }),
            [_, "refuses"] => self.push(after, What::Refuses),
            [from, arrow @ ("->" | "=>"), to, ..] => self.messages(after, from, arrow == "=>", to, rest),
            [name, ref words @ ..] if !line.contains(':') || matches!(words.first(), Some(&("dials" | "tells"))) => {
                let words = words.iter().map(|word| (*word).to_owned()).collect();
                self.push(after, What::Does { name: name.to_owned(), words });
            }
            _ => self.field(line),
        }
    }

    fn messages(&mut self, after: Duration, from: &str, stream: bool, to: &str, line: &str) {
        let (line, fate) = match line.split_once(" ; ") {
            Some((line, fate)) => {
                (line, Some(Fate::parse(fate.trim()).unwrap_or_else(|| panic!("no such fate: {line}"))))
            }
            None => (line, None),
        };
        let words: Vec<&str> = line.split_whitespace().skip(3).collect();
        for (nth, words) in words.join(" ").split(',').enumerate() {
            let words = words.trim().to_owned();
            let (from, to) = (from.to_owned(), to.to_owned());
            let rung = Rung { from, to, stream, words, fields: Vec::new(), fate };
            self.push(if nth == 0 { after } else { Duration::ZERO }, What::Message(rung));
        }
    }

    /// A header field of the message above.
    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("what is this? {line}"));
        match self.steps.last_mut().map(|step| &mut step.what) {
            Some(What::Message(rung)) => rung.fields.push((name.trim().to_owned(), value.trim().to_owned())),
            _ => panic!("a header field of which message? {line}"),
        }
    }

    fn push(&mut self, after: Duration, what: What) {
        self.steps.push(Step { after, what });
    }

    /// What is given about this one's phone, `None` when there is none.
    pub(crate) fn phone_of(&self, name: &str) -> Option<&[String]> {
        let given = self.givens.iter().find(|clause| clause[0] == name && clause.contains(&"phone".to_owned()));
        given.map(Vec::as_slice)
    }

    /// Everybody named, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let given = self.givens.iter().flat_map(|clause| match &clause[..] {
            // A host that stands for others.
            [_, is, others @ ..] if is == "is" => others,
            clause => clause.get(..1).unwrap_or(&[]),
        });
        let rungs = self.steps.iter().filter_map(|step| match &step.what {
            What::Message(rung) => Some([&rung.from, &rung.to]),
            _ => None,
        });
        for name in given.chain(rungs.flatten()) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }
}

impl Rung {
    /// Whether it is this message that was found, fields aside.
    pub(crate) fn is(&self, found: &crate::Entry) -> bool {
        let what = found.what();
        let word = |n: usize| self.words.split_whitespace().nth(n);
        let same_what = match word(0) {
            Some(raw) if raw.starts_with('"') => true,
            Some(status) if status.starts_with(|c: char| c.is_ascii_digit()) => {
                what.split(' ').next() == Some(status)
                    && word(1).is_none_or(|method| method == "again" || what.split(' ').nth(1) == Some(method))
            }
            method => Some(&*what) == method,
        };
        same_what && (&self.from, &self.to, self.stream) == (&found.from, &found.to, found.stream)
    }
}

impl std::fmt::Display for Rung {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}  {}", self.from, if self.stream { "=>" } else { "->" }, self.to, self.words)
    }
}

/// `500ms`, `3.5s`, `3m`
fn duration(text: &str) -> Duration {
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or_else(|| panic!("+{text}: a time needs a unit"));
    let number: f64 = text[..at].parse().unwrap_or_else(|_| panic!("+{text}: no time"));
    let ms = match &text[at..] {
        "ms" => number,
        "s" => number * 1000.0,
        "m" => number * 60_000.0,
        "h" => number * 3_600_000.0,
        unit => panic!("+{text}: what is {unit}?"),
    };
    Duration::from_millis(ms.round() as u64)
}
