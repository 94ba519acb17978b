//! The configuration files of Asterisk: sections with templates, `key = value` and `key => value`.

/// A section, with what it has from its templates in front.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) line: usize,
    pub(super) name: String,
    /// Whether it is there for others only.
    pub(super) template: bool,
    pub(super) entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) value: String,
}

impl Section {
    /// The last value of a key, which counts.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().rfind(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }
}

/// The sections of a text, and the lines with which it includes others.
pub(super) fn read(text: &str) -> Result<(Vec<Section>, Vec<usize>), String> {
    let (mut sections, mut includes): (Vec<Section>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut current = None;
    for (line, text) in (1..).zip(without_comments(text).lines()) {
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (name, behind) = rest.split_once(']').ok_or(format!("line {line}: a section has no ]"))?;
            current = Some(begin(&mut sections, line, name.trim(), behind.trim())?);
        } else if text.starts_with("#include") || text.starts_with("#tryinclude") || text.starts_with("#exec") {
            includes.push(line);
        } else if let Some((key, value)) = text.split_once('=') {
            let section = current.and_then(|index: usize| sections.get_mut(index));
            let section = section.ok_or(format!("line {line}: this stands in no section"))?;
            let value = value.strip_prefix('>').unwrap_or(value).trim().to_owned();
            section.entries.push(Entry { line, key: key.trim().to_ascii_lowercase(), value });
        } else {
            return Err(format!("line {line}: this is neither a [section] nor key=value"));
        }
    }
    Ok((sections, includes))
}

/// Begins the section `[name](options)`: `!` makes it a template, `+` goes on with one that is there, names are templates.
fn begin(sections: &mut Vec<Section>, line: usize, name: &str, options: &str) -> Result<usize, String> {
    let options = options.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or("", |(options, _)| options);
    let mut section = Section { line, name: name.to_owned(), ..Section::default() };
    for option in options.split(',').map(str::trim).filter(|option| !option.is_empty()) {
        let found = |name: &str| sections.iter().rposition(|section| section.name == name);
        match option {
            "!" => section.template = true,
            "+" => return found(name).ok_or(format!("line {line}: there is no [{name}] to go on with")),
            template => {
                let template = found(template).ok_or(format!("line {line}: there is no template [{template}]"))?;
                section.entries.extend(sections[template].entries.iter().cloned());
            }
        }
    }
    sections.push(section);
    Ok(sections.len() - 1)
}

/// The same lines without what stands behind `;` (not `\;`) and between `;--` and `--;`.
fn without_comments(text: &str) -> String {
    let (mut plain, mut rest, mut inside) = (String::new(), text.strip_prefix('\u{feff}').unwrap_or(text), false);
    while let Some(letter) = rest.chars().next() {
        if inside && rest.starts_with("--;") {
            (inside, rest) = (false, &rest[3..]);
        } else if inside {
            plain.extend((letter == '\n').then_some('\n'));
            rest = &rest[letter.len_utf8()..];
        } else if let Some(escaped) = rest.strip_prefix("\\;") {
            plain.push(';');
            rest = escaped;
        } else if rest.starts_with(";--") && !rest.starts_with(";---") {
            (inside, rest) = (true, &rest[3..]);
        } else if letter == ';' {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else {
            plain.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn sections_have_what_their_templates_have() {
        let text = "; a comment\n[general]\nrealm = here ; behind\n#include \"more.conf\"\n;-- all\n[of]\n this --;\n\
            [base](!)\nType=auth\nkey => old\n[100](base)\nkey=a\\;b\n[100](+)\nlast=x\n";
        let (sections, includes) = read(text).unwrap();
        assert_eq!((sections.len(), includes), (3, vec![4]));
        let [general, base, hundred] = &sections[..] else { panic!("three") };
        assert_eq!((general.get("realm"), base.template, hundred.template), (Some("here"), true, false));
        assert_eq!(
            (hundred.get("type"), hundred.get("key"), hundred.get("last")),
            (Some("auth"), Some("a;b"), Some("x"))
        );
        assert_eq!((hundred.line, hundred.entries.last().unwrap().line), (11, 14));
        for (wrong, said) in [
            ("[a", "has no ]"),
            ("a=b", "no section"),
            ("[a](b)", "no template [b]"),
            ("[a](+)", "no [a]"),
            ("[a]\nnonsense", "line 2"),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
