use bytes::Bytes;

/// A message about to be sent: a list of fields that the ladder may still change, into nonsense, too.
pub(super) struct Draft {
    /// Method or status, and Request-URI or Reason-Phrase.
    pub(super) start: (String, String),
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Draft {
    pub(super) fn new(first: impl Into<String>, second: impl Into<String>) -> Draft {
        Draft { start: (first.into(), second.into()), fields: Vec::new(), body: Vec::new() }
    }

    pub(super) fn field(&mut self, name: &str, value: impl Into<String>) {
        self.fields.push((name.to_owned(), value.into()));
    }

    /// What the ladder says about this message: fields replace those of their name, `-` removes them.
    pub(super) fn change(&mut self, changes: &[(String, String)]) {
        let mut changed: Vec<&str> = Vec::new();
        for (name, value) in changes {
            match &**name {
                "Request-URI" | "Reason-Phrase" => self.start.1.clone_from(value),
                "Body" => {
                    let bytes = value.strip_suffix(" bytes").and_then(|number| number.parse().ok());
                    self.body = bytes.map_or_else(|| value.clone().into_bytes(), |bytes| vec![b'x'; bytes]);
                }
                _ => {
                    let at = self.fields.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
                    if !changed.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                        self.fields.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                    }
                    let count = changed.iter().filter(|known| known.eq_ignore_ascii_case(name)).count();
                    changed.push(name);
                    if value != "-" {
                        let at = at.map_or(self.fields.len(), |at| (at + count).min(self.fields.len()));
                        self.fields.insert(at, (name.clone(), value.clone()));
                    }
                }
            }
        }
    }

    pub(super) fn write(&self) -> Bytes {
        let (first, second) = &self.start;
        let mut text = match first.as_bytes().first() {
            Some(b'1'..=b'9') => format!("SIP/2.0 {first} {second}\r\n"),
            _ => format!("{first} {second} SIP/2.0\r\n"),
        };
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Length")) {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        Bytes::from(bytes)
    }
}
