//! Rows of fields with something between them: CSV (RFC 4180), the same with semicolons, and the TSV of `mysql --batch`.

/// A row, and the line that it begins in.
pub(super) type Row = (usize, Vec<String>);

/// The rows of a text; empty ones are left out. What separates fields is what the first row has most of.
pub(super) fn read(text: &str) -> Vec<Row> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |separator: &char| first.matches(*separator).count();
    let separator = ['\t', ';', '|', ','].into_iter().max_by_key(count).unwrap_or(',');
    let mut rows = Rows { rows: Vec::new(), row: Vec::new(), field: String::new(), line: 1, begins: 1 };
    let mut letters = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => rows.field.extend(letters.next()),
            '"' if quoted || rows.field.trim().is_empty() => quoted = !quoted,
            '\n' if !quoted => rows.end_row(),
            '\r' if !quoted => {}
            letter if letter == separator && !quoted => rows.end_field(),
            letter => rows.field.push(letter),
        }
        rows.line += usize::from(letter == '\n');
        if rows.row.is_empty() && rows.field.is_empty() && !quoted {
            rows.begins = rows.line;
        }
    }
    rows.end_row();
    rows.rows
}

struct Rows {
    rows: Vec<Row>,
    row: Vec<String>,
    field: String,
    line: usize,
    begins: usize,
}

impl Rows {
    fn end_field(&mut self) {
        self.row.push(std::mem::take(&mut self.field).trim().to_owned());
    }

    fn end_row(&mut self) {
        self.end_field();
        let row = std::mem::take(&mut self.row);
        if row.iter().any(|field| !field.is_empty()) {
            self.rows.push((self.begins, row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn fields_are_separated_by_what_there_is_most_of() {
        let row = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>();
        for text in ["a,b c,d\n", "a\tb c\td", "\u{feff}a;b c;d\r\n", "\"a\",\"b c\",\"d\"\n"] {
            assert_eq!(read(text), [(1, row(&["a", "b c", "d"]))], "{text:?}");
        }
        let text = "\n\"a,\"\"b\"\"\",c\n\n\"two\nlines\", d\nx,\n";
        let expected = [(2, row(&["a,\"b\"", "c"])), (4, row(&["two\nlines", "d"])), (6, row(&["x", ""]))];
        assert_eq!(read(text), expected);
        assert!(read("").is_empty() && read("\n\n").is_empty());
    }
}
