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
        let line = text[line_start..line_end].trim_end();
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
    fn places_at_the_edge_and_over_several_lines_are_shown_too() {
        assert!(shown("", 0..0).ends_with("1 | \n  | ^ better"));
        assert!(shown("x = [\n1]", 4..8).ends_with("1 | x = [\n  |     ^ better"));
        assert!(shown("x = 1", 90..99).ends_with("1 | x = 1\n  |      ^ better"));
    }
}
