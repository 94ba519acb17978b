use std::fmt::{Display, Write};

/// What Prometheus is told that a text in this format is (exposition formats, version 0.0.4).
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Labels, each with its value, and the sample's value.
pub(super) type Sample<'a> = (&'a [(&'a str, &'a str)], &'a dyn Display);

/// Metrics as Prometheus reads them: families of samples, each family with its HELP and TYPE in front.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// What only grows, except when the process starts; its name ends in `_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "counter", help, &[(&[], &value)]);
    }

    /// What goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help, &[(&[], &value)]);
    }

    /// Several samples under one name, told apart by their labels. A name is for one family only.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str, samples: &[Sample<'_>]) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (labels, value) in samples {
            self.0 += name;
            for (index, (label, text)) in labels.iter().enumerate() {
                let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                let _ = write!(self.0, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
            }
            let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
pub(super) mod strict {
    use std::collections::HashSet;

    /// Reads a text as strictly as `promtool check metrics` does; what comes back are its series, as they are written, with their values.
    pub(in crate::http) fn read(text: &str) -> Result<Vec<(String, f64)>, String> {
        let (mut families, mut series) = (HashSet::new(), Vec::new());
        let (mut help, mut kind) = ("", "");
        if !text.ends_with('\n') {
            return Err("the last line has no end".to_owned());
        }
        for line in text.lines() {
            let wrong = |what: &str| Err(format!("{what}: {line:?}"));
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let Some((name, words)) = rest.split_once(' ') else { return wrong("HELP without words") };
                if words.trim() != words || words.is_empty() {
                    return wrong("HELP without words");
                }
                if !is_name(name) || !families.insert(name) {
                    return wrong("a family twice, or no name");
                }
                (help, kind) = (name, "");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let Some((name, of)) = rest.split_once(' ') else { return wrong("TYPE of nothing") };
                if name != help || !kind.is_empty() || !["counter", "gauge"].contains(&of) {
                    return wrong("TYPE not behind its HELP, twice, or unknown");
                }
                if (of == "counter") != name.ends_with("_total") {
                    return wrong("counters end in _total, and nothing else does");
                }
                kind = of;
            } else {
                let Some((name, value)) = line.rsplit_once(' ') else { return wrong("no value") };
                let Ok(value) = value.parse::<f64>() else { return wrong("no number") };
                let (family, labels) = name.split_once('{').map_or((name, None), |(family, rest)| (family, Some(rest)));
                if kind.is_empty() || family != help {
                    return wrong("a sample without HELP and TYPE in front");
                }
                if labels.is_some_and(|labels| !are_labels(labels)) {
                    return wrong("bad labels");
                }
                if series.iter().any(|(other, _)| other == name) {
                    return wrong("a series twice");
                }
                series.push((name.to_owned(), value));
            }
        }
        Ok(series)
    }

    fn is_name(text: &str) -> bool {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    }

    /// What stands behind the opening brace: `name="text",..}`.
    fn are_labels(mut rest: &str) -> bool {
        let mut seen = HashSet::new();
        loop {
            let Some((name, value)) = rest.split_once("=\"") else { return false };
            if !is_name(name) || !seen.insert(name) {
                return false;
            }
            let (mut end, mut escaped) = (None, false);
            for (index, character) in value.char_indices() {
                match character {
                    _ if escaped && !matches!(character, '\\' | '"' | 'n') => return false,
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    '"' => {
                        end = Some(index);
                        break;
                    }
                    _ => {}
                }
            }
            let Some(end) = end else { return false };
            match &value[end + 1..] {
                "}" => return true,
                more => match more.strip_prefix(',') {
                    Some(more) => rest = more,
                    None => return false,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Exposition, strict};

    #[test]
    fn labels_and_help_are_escaped() {
        let mut exposition = Exposition::default();
        exposition.family(
            "ringback_odd",
            "gauge",
            "a\\b\nc",
            &[(&[("why", "say \"no\"\n"), ("path", "a\\b")], &1), (&[("why", "}")], &0.5)],
        );
        let text = exposition.into_text();
        let expected = "# HELP ringback_odd a\\\\b\\nc\n# TYPE ringback_odd gauge\n\
                        ringback_odd{why=\"say \\\"no\\\"\\n\",path=\"a\\\\b\"} 1\nringback_odd{why=\"}\"} 0.5\n";
        assert_eq!(text, expected);
        assert_eq!(strict::read(&text).unwrap().len(), 2);
    }

    #[test]
    fn the_strict_reader_finds_what_promtool_would() {
        let good = "# HELP a_total Words.\n# TYPE a_total counter\na_total 1\n";
        assert_eq!(strict::read(good).unwrap(), [("a_total".to_owned(), 1.0)]);
        for bad in [
            "a 1\n",
            "# HELP a_total Words.\na_total 1\n",
            "# TYPE a_total counter\na_total 1\n",
            "# HELP a Words.\n# TYPE a counter\na 1\n",
            "# HELP a_total Words.\n# TYPE a_total gauge\na_total 1\n",
            "# HELP a_total Words.\n# TYPE a_total counter\na_total one\n",
            "# HELP a_total Words.\n# TYPE a_total counter\na_total{x=1} 1\n",
            "# HELP a_total Words.\n# TYPE a_total counter\na_total{x=\"1} 1\n",
            "# HELP a_total Words.\n# TYPE a_total counter\nb_total 1\n",
            "# HELP a_total \n# TYPE a_total counter\na_total 1\n",
            &good.repeat(2),
            &format!("{good}a_total 2\n"),
            good.trim_end(),
        ] {
            assert!(strict::read(bad).is_err(), "{bad}");
        }
    }
}
