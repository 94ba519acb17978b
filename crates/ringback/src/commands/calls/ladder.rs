use crate::moment;
use routing::Zone;
use serde::Deserialize;
use std::time::{Duration, SystemTime};

/// Letters of the column with the times.
const MARGIN: usize = 24;

/// A call as the exchange tells it.
#[derive(Debug, Deserialize)]
pub(super) struct Story {
    pub(super) call_id: String,
    parties: Vec<String>,
    ladder: Vec<Step>,
    pub(super) how: String,
}

#[derive(Debug, Deserialize)]
struct Step {
    at: String,
    from: String,
    to: String,
    label: String,
    #[serde(default)]
    repeated: bool,
}

impl Story {
    /// A column for each party, an arrow for each message, the time and what has passed since the one before on its left.
    pub(super) fn picture(&self, zone: &Zone) -> String {
        let widest = self.ladder.iter().map(|step| words(step).chars().count() + 8);
        let names = self.parties.iter().map(|party| party.chars().count() + 4);
        let width = widest.chain(names).max().unwrap_or(0).max(16);
        let columns = Columns { count: self.parties.len(), width };
        let mut picture = columns.heading(&self.parties) + "\n" + &columns.text(&columns.bars(), "") + "\n";
        let mut before: Option<SystemTime> = None;
        for step in &self.ladder {
            let at = moment::parse_rfc3339(&step.at);
            let time = at.map_or_else(|| step.at.clone(), |at| moment::local_time(zone, at));
            let since = at.zip(before).and_then(|(at, before)| at.duration_since(before).ok());
            let margin = format!("{time}  {}", since.map_or(String::new(), passed));
            picture +=
                &columns.text(&columns.arrow(self.place(&step.from), self.place(&step.to), &words(step)), &margin);
            picture.push('\n');
            before = at.or(before);
        }
        picture
    }

    fn place(&self, party: &str) -> usize {
        self.parties.iter().position(|other| other == party).unwrap_or(0)
    }
}

fn words(step: &Step) -> String {
    if step.repeated { format!("{} again", step.label) } else { step.label.clone() }
}

fn passed(since: Duration) -> String {
    format!("+{:.3}", since.as_secs_f64())
}

struct Columns {
    count: usize,
    width: usize,
}

impl Columns {
    fn middle(&self, column: usize) -> usize {
        column * self.width + self.width / 2
    }

    fn heading(&self, parties: &[String]) -> String {
        let mut line = vec![' '; self.count * self.width];
        for (column, party) in parties.iter().enumerate() {
            write_centred(&mut line, self.middle(column), party);
        }
        self.text(&line, "")
    }

    fn bars(&self) -> Vec<char> {
        let mut line = vec![' '; self.count * self.width];
        for column in 0..self.count {
            line[self.middle(column)] = '|';
        }
        line
    }

    fn arrow(&self, from: usize, to: usize, words: &str) -> Vec<char> {
        let mut line = self.bars();
        if from == to {
            write_centred(&mut line, self.middle(from), &format!("( {words} )"));
            return line;
        }
        let (left, right) = (self.middle(from.min(to)) + 1, self.middle(from.max(to)));
        line[left..right].fill('-');
        if from < to {
            line[right - 1] = '>';
        } else {
            line[left] = '<';
        }
        write_centred(&mut line, (left + right) / 2, &format!(" {words} "));
        line
    }

    fn text(&self, line: &[char], margin: &str) -> String {
        let line: String = line.iter().collect();
        format!("{margin:<MARGIN$}{line}").trim_end().to_owned()
    }
}

fn write_centred(line: &mut [char], middle: usize, text: &str) {
    let start = middle.saturating_sub(text.chars().count() / 2);
    for (place, letter) in line.iter_mut().skip(start).zip(text.chars()) {
        *place = letter;
    }
}

#[cfg(test)]
mod tests {
    use super::Story;
    use routing::Zone;
    use serde_json::json;

    #[test]
    fn a_call_is_drawn_as_a_ladder() {
        let step = |at: &str, from: &str, to: &str, label: &str, repeated: bool| json!({"at": format!("2026-11-20T18:50:{at}Z"), "from": from, "to": to, "label": label, "repeated": repeated});
        let story = json!({
            "call_id": "c", "parties": ["100", "exchange", "101"], "how": "101 hung up after 12 s",
            "ladder": [
                step("05.250", "100", "exchange", "INVITE", false),
                step("05.250", "exchange", "101", "INVITE", false),
                step("05.750", "exchange", "101", "INVITE", true),
                step("05.760", "101", "exchange", "180", false),
                step("06.000", "100", "101", "ACK", false),
            ],
        });
        let story: Story = serde_json::from_value(story).unwrap();
        let expected = "
                                 100              exchange               101
                                  |                   |                   |
18:50:05.250                      |----- INVITE ----->|                   |
18:50:05.250  +0.000              |                   |----- INVITE ----->|
18:50:05.750  +0.500              |                   |-- INVITE again -->|
18:50:05.760  +0.010              |                   |<------ 180 -------|
18:50:06.000  +0.240              |----------------- ACK ---------------->|
";
        assert_eq!(format!("\n{}", story.picture(&Zone::utc())), expected);
    }

    #[test]
    fn a_story_without_messages_or_with_strange_ones_is_drawn_too() {
        let story: Story =
            serde_json::from_value(json!({"call_id": "c", "parties": [], "ladder": [], "how": ""})).unwrap();
        assert_eq!(story.picture(&Zone::utc()).trim(), "");
        let step = json!({"at": "once", "from": "a", "to": "a", "label": "x"});
        let story = json!({"call_id": "c", "parties": ["a"], "ladder": [step], "how": ""});
        let story: Story = serde_json::from_value(story).unwrap();
        assert!(story.picture(&Zone::utc()).contains("once") && story.picture(&Zone::utc()).contains("( x )"));
    }
}
