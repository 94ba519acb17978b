use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text that settings come from: a file, an environment variable, a flag.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Something wrong in a [`Source`], shown as its line with a caret below.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) source: Arc<Source>,
    pub(crate) span: Range<usize>,
    pub(crate) what: String,
    pub(crate) help: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.source.text;
        let start = text.floor_char_boundary(self.span.start.min(text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let line = without_secrets(text[line_start..line_end].trim_end());
        let number = text[..line_start].matches('\n').count() + 1;
        let before = &text[line_start..start];
        let end = text.floor_char_boundary(self.span.end.clamp(start, line_end));
        // Tabs stay tabs, so that the caret stands below its letter.
        let gap: String = before.chars().map(|letter| if letter == '\t' { '\t' } else { ' ' }).collect();
        let carets = "^".repeat(text[start..end].trim_end().chars().count().max(1));
        let margin = " ".repeat(number.to_string().len());
        writeln!(f, "{}", self.what)?;
        writeln!(f, "{margin}--> {}:{number}:{}", self.source.name, before.chars().count() + 1)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {line}")?;
        write!(f, "{margin} | {gap}{carets}")?;
        if !self.help.is_empty() {
            write!(f, " {}", self.help)?;
        }
        Ok(())
    }
}

/// Settings whose values nobody may read over a shoulder or in a log.
const SECRETS: [&str; 4] = ["password", "ha1_md5", "ha1_sha256", "secret"];

/// A line with its secrets blotted out, letter by letter, so that what stands below it still fits.
fn without_secrets(line: &str) -> String {
    let mut shown = String::new();
    let mut rest = line;
    loop {
        let lower = rest.to_ascii_lowercase();
        let ends = SECRETS.iter().filter_map(|secret| Some(lower.find(secret)? + secret.len()));
        let Some(name_end) = ends.min() else { return shown + rest };
        let behind = rest[name_end..].trim_start_matches(['"', '\'']).trim_start();
        let Some(value) = behind.strip_prefix('=').map(str::trim_start) else {
            shown += &rest[..name_end];
            rest = &rest[name_end..];
            continue;
        };
        let (closing, inner) = match value.chars().next() {
            Some('[') => (Some(']'), &value[1..]),
            Some(quote @ ('"' | '\'')) => (Some(quote), &value[1..]),
            _ => (None, value),
        };
        shown += &rest[..rest.len() - inner.len()];
        let end = match closing {
            // With an escaped quote in it, nobody knows where it ends.
            Some(_) if inner.contains('\\') => None,
            Some(closing) => inner.find(closing),
            None => inner.find([',', '}', ' ']),
        };
        let end = end.unwrap_or(inner.len());
        shown.extend(inner[..end].chars().map(|_| '*'));
        rest = &inner[end..];
    }
}

#[cfg(test)]
mod tests {
    use super::{Problem, Source};
    use std::sync::Arc;

    fn shown(text: &str, span: std::ops::Range<usize>) -> String {
        let source = Arc::new(Source { name: "a.toml".into(), text: text.into() });
        Problem { source, span, what: "bad".into(), help: "better".into() }.to_string()
    }

    #[test]
    fn the_caret_stands_below_the_place() {
        assert_eq!(shown("a = 1\nb = 22\n", 10..12), "bad\n --> a.toml:2:5\n  |\n2 | b = 22\n  |     ^^ better");
        assert_eq!(shown("\tä = 1", 6..7), "bad\n --> a.toml:1:6\n  |\n1 | \tä = 1\n  | \t    ^ better");
    }

    #[test]
    fn secrets_are_blotted_out() {
        for (line, expected) in [
            ("password = \"5ec2e7\"  # x", "password = \"******\"  # x"),
            ("user = [{ password = '5ec2e7', nam = 1 }]", "user = [{ password = '******', nam = 1 }]"),
            ("{ ha1_md5=\"5ec2e7\", ha1_sha256 =  \"5ec2e7\" }", "{ ha1_md5=\"******\", ha1_sha256 =  \"******\" }"),
            ("\"password\" = \"5ec2e7\"", "\"password\" = \"******\""),
            ("password = \"5ec2e7", "password = \"******"),
            ("password = \"a\\\"5ec2e7\" # x", "password = \"**************"),
            ("password = 5ec2e7", "password = ******"),
            ("secret = [\"5ec2e7\"]", "secret = [********]"),
            ("a password is = 1, passwords", "a password is = 1, passwords"),
            ("RINGBACK_TURN__SECRET=5ec2e7", "RINGBACK_TURN__SECRET=******"),
        ] {
            let shown = shown(line, 0..1);
            assert!(shown.contains(&format!("1 | {expected}\n")), "{line}: {shown}");
        }
    }

    #[test]
    fn places_at_the_edge_and_over_several_lines_are_shown_too() {
        assert!(shown("", 0..0).ends_with("1 | \n  | ^ better"));
        assert!(shown("x = [\n1]", 4..8).ends_with("1 | x = [\n  |     ^ better"));
        assert!(shown("x = 1", 90..99).ends_with("1 | x = 1\n  |      ^ better"));
    }
}
