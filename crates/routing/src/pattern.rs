use crate::Wanted;
use std::fmt;

/// What a text looks like: `*` stands for any run of characters (also none), `?` for any one, and a backslash takes the special
/// meaning from the character behind it (`\*97` is the star code *97).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Run,
    One,
    Char(char),
}

impl Part {
    /// Whether it stands for `other` alone, or for all that `other` stands for.
    fn takes(self, other: Part, any_case: bool) -> bool {
        match (self, other) {
            (Part::Char(a), Part::Char(b)) => a == b || any_case && a.eq_ignore_ascii_case(&b),
            (Part::One, Part::Char(_) | Part::One) => true,
            (Part::Char(_) | Part::One | Part::Run, _) => false,
        }
    }
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Pattern, Wanted> {
        let mut parts = Vec::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            parts.push(match letter {
                '*' => Part::Run,
                '?' => Part::One,
                '\\' => Part::Char(letters.next().ok_or(Wanted("a character behind the backslash"))?),
                other => Part::Char(other),
            });
        }
        if parts.is_empty() {
            return Err(Wanted("a text; * stands for anything"));
        }
        Ok(Pattern { text: text.to_owned(), parts })
    }

    /// Whether `text` looks like this.
    pub fn matches(&self, text: &str) -> bool {
        covers(&self.parts, text.chars().map(Part::Char), false)
    }

    /// The same, where upper and lower case (of ASCII) are one.
    pub fn matches_any_case(&self, text: &str) -> bool {
        covers(&self.parts, text.chars().map(Part::Char), true)
    }

    /// Whether everything that matches `other` matches this, too. "No" may be said of a pair for which it is true.
    pub fn covers(&self, other: &Pattern) -> bool {
        covers(&self.parts, other.parts.iter().copied(), false)
    }

    /// Whether everything matches.
    pub fn is_anything(&self) -> bool {
        self.parts.iter().all(|part| *part == Part::Run)
    }

    /// Whether it looks as if a star code had been meant: one star in front, digits behind.
    pub fn resembles_star_code(&self) -> bool {
        let digits = self.parts.get(1..).unwrap_or_default();
        let is_digit = |part: &Part| matches!(part, Part::Char(digit) if digit.is_ascii_digit());
        self.parts.first() == Some(&Part::Run) && (1..=3).contains(&digits.len()) && digits.iter().all(is_digit)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Goes back to the last run only: what an earlier one could take more of, the last one can take as well.
fn covers(pattern: &[Part], mut text: impl Iterator<Item = Part> + Clone, any_case: bool) -> bool {
    let mut at = 0;
    let mut last_run = None;
    loop {
        let mut rest = text.clone();
        match (pattern.get(at), rest.next()) {
            (Some(Part::Run), _) => {
                at += 1;
                last_run = Some((at, text.clone()));
                continue;
            }
            (None, None) => return true,
            (Some(part), Some(other)) if part.takes(other, any_case) => {
                at += 1;
                text = rest;
                continue;
            }
            _ => {}
        }
        let Some((behind, from)) = &mut last_run else { return false };
        if from.next().is_none() {
            return false;
        }
        (at, text) = (*behind, from.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;
    use crate::Wanted;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn what_patterns_match() {
        for (text, yes, no) in [
            ("100", &["100"][..], &["1000", "10", "", "200"][..]),
            ("+49*", &["+49", "+4930"], &["49", "+48", "0+49"]),
            ("10?", &["100", "10x", "10ü"], &["10", "1000"]),
            ("*", &["", "x", "x*"], &[]),
            ("*00*1", &["001", "0001", "000010001"], &["000", "010"]),
            ("a*b?c", &["abxc", "abbbxc", "abxcbyc"], &["abc", "abxcd"]),
            (r"\*97", &["*97"], &["97", "197", r"\*97"]),
            (r"\*21\**", &["*21*0170", "*21*"], &["*21", "*210170"]),
            (r"a\\b\?", &[r"a\b?"], &["a\\bc"]),
        ] {
            yes.iter().for_each(|yes| assert!(pattern(text).matches(yes), "{text} {yes}"));
            no.iter().for_each(|no| assert!(!pattern(text).matches(no), "{text} {no}"));
        }
        assert!(pattern("Gold*").matches_any_case("gOLDEN") && !pattern("Gold*").matches("golden"));
        assert_eq!(Pattern::parse(""), Err(Wanted("a text; * stands for anything")));
        assert!(Pattern::parse("a\\").is_err());
    }

    #[test]
    fn what_patterns_cover() {
        for (wide, narrow) in [("*", "*"), ("*", ""), ("+49*", "+4930*"), ("1?", "10"), ("1*", "1??"), ("*9*", "*99*")]
        {
            if !narrow.is_empty() {
                assert!(pattern(wide).covers(&pattern(narrow)), "{wide} {narrow}");
            }
        }
        for (wide, narrow) in [("1?", "1*"), ("+49*", "*"), ("10", "1?"), ("1?*", "1*")] {
            assert!(!pattern(wide).covers(&pattern(narrow)), "{wide} {narrow}");
        }
    }

    /// Every short pattern against every short text, and against every other pattern.
    #[test]
    fn what_matches_and_what_covers_agree_with_the_definition() {
        fn matches(pattern: &[u8], text: &[u8]) -> bool {
            match (pattern.split_first(), text.split_first()) {
                (None, None) => true,
                (Some((b'*', rest)), _) => {
                    matches(rest, text) || text.split_first().is_some_and(|(_, text)| matches(pattern, text))
                }
                (Some((b'?', rest)), Some((_, text))) => matches(rest, text),
                (Some((letter, rest)), Some((other, text))) => letter == other && matches(rest, text),
                _ => false,
            }
        }
        fn words(letters: &str, length: usize) -> Vec<String> {
            let mut all = vec![String::new()];
            for _ in 0..length {
                let longer = all.iter().flat_map(|word| letters.chars().map(move |letter| format!("{word}{letter}")));
                all = all.iter().cloned().chain(longer).collect();
                all.sort();
                all.dedup();
            }
            all
        }
        let texts = words("ab", 5);
        let patterns: Vec<_> =
            words("ab*?", 3).iter().filter(|word| !word.is_empty()).map(|word| pattern(word)).collect();
        for wide in &patterns {
            for text in &texts {
                assert_eq!(wide.matches(text), matches(wide.text.as_bytes(), text.as_bytes()), "{wide} {text}");
            }
            for narrow in patterns.iter().filter(|narrow| wide.covers(narrow)) {
                let missed = texts.iter().find(|text| narrow.matches(text) && !wide.matches(text));
                assert_eq!(missed, None, "{wide} does not cover {narrow}");
            }
        }
    }

    #[test]
    fn a_pattern_that_was_probably_a_star_code() {
        for (text, is) in
            [("*97", true), ("*8", true), (r"\*97", false), ("*", false), ("*@a", false), ("*1234", false)]
        {
            assert_eq!(pattern(text).resembles_star_code(), is, "{text}");
        }
    }

    /// A text made to be hard costs its length times the pattern's, not more.
    #[test]
    fn a_hard_text_ends() {
        assert!(!pattern(&"*a".repeat(50)).matches(&format!("{}b", "a".repeat(5_000))));
    }
}
