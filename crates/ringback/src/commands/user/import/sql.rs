//! The INSERT statements of one table in a dump of MySQL, MariaDB or SQLite.

/// A row of the table, and the line that it begins in. NULL and numbers are texts, too: nothing, and their digits.
pub(super) type Row = (usize, Vec<String>);

/// What a dump says of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// The columns in the order of the values, where the dump says it.
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// Whether a text looks like a dump at all.
pub(super) fn is_sql(text: &str) -> bool {
    words(text).any(|word| word.eq_ignore_ascii_case("INSERT"))
        && words(text).any(|word| word.eq_ignore_ascii_case("INTO"))
}

/// Reads what a dump says of the table of this name.
pub(super) fn read(text: &str, table: &str) -> Result<Table, String> {
    // SQLite knows no escapes with backslashes, and says so by how its dumps begin.
    let backslashes = !words(text).take(60).any(|word| word.eq_ignore_ascii_case("PRAGMA"));
    let mut tokens = Tokens { rest: text, line: 1, backslashes };
    let mut found = Table::default();
    while let Some(token) = tokens.next()? {
        if token.is("CREATE") && tokens.next()?.is_some_and(|token| token.is("TABLE")) {
            if let Some(columns) = created(&mut tokens, table)? {
                found.columns = columns;
            }
        } else if token.is("INSERT") || token.is("REPLACE") {
            inserted(&mut tokens, table, &mut found)?;
        }
    }
    Ok(found)
}

/// `[IF NOT EXISTS] name (column type .., PRIMARY KEY ..)`; `None` for another table.
fn created(tokens: &mut Tokens<'_>, table: &str) -> Result<Option<Vec<String>>, String> {
    let mut name = String::new();
    loop {
        match tokens.next()? {
            Some(Token::Sign('(')) => break,
            Some(Token::Word(word) | Token::Text(word)) => name = word,
            Some(Token::Sign('.')) => {}
            _ => return Ok(None),
        }
    }
    let (mut columns, mut depth, mut first) = (Vec::new(), 1, true);
    while depth > 0 {
        let Some(token) = tokens.next()? else { return Err(tokens.torn()) };
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth -= 1,
            Token::Sign(',') if depth == 1 => {
                first = true;
                continue;
            }
            Token::Word(word) | Token::Text(word) if first => {
                let clause = ["PRIMARY", "UNIQUE", "KEY", "INDEX", "CONSTRAINT", "FOREIGN", "CHECK", "FULLTEXT"];
                if !clause.iter().any(|clause| word.eq_ignore_ascii_case(clause)) {
                    columns.push(word.to_ascii_lowercase());
                }
            }
            _ => {}
        }
        first = false;
    }
    Ok(name.eq_ignore_ascii_case(table).then_some(columns))
}

/// `[IGNORE] INTO name [(column, ..)] VALUES (value, ..), ..;`
fn inserted(tokens: &mut Tokens<'_>, table: &str, found: &mut Table) -> Result<(), String> {
    let (mut name, mut columns) = (String::new(), Vec::new());
    loop {
        match tokens.next()? {
            Some(token) if token.is("VALUES") => break,
            Some(Token::Sign('(')) => loop {
                match tokens.next()? {
                    Some(Token::Word(word) | Token::Text(word)) => columns.push(word.to_ascii_lowercase()),
                    Some(Token::Sign(',')) => {}
                    Some(Token::Sign(')')) => break,
                    _ => return Err(tokens.torn()),
                }
            },
            Some(Token::Word(word) | Token::Text(word)) => name = word,
            Some(Token::Sign('.')) => {}
            _ => return Ok(()),
        }
    }
    let ours = name.eq_ignore_ascii_case(table);
    if ours && !columns.is_empty() {
        found.columns = columns;
    }
    loop {
        match tokens.next()? {
            Some(Token::Sign('(')) => {
                let row = (tokens.line, values(tokens)?);
                if ours {
                    found.rows.push(row);
                }
            }
            Some(Token::Sign(',')) => {}
            _ => return Ok(()),
        }
    }
}

/// The values of a row, whose parenthesis is open.
fn values(tokens: &mut Tokens<'_>) -> Result<Vec<String>, String> {
    let (mut values, mut value, mut depth) = (Vec::new(), String::new(), 1);
    loop {
        match tokens.next()? {
            Some(Token::Sign('(')) => depth += 1,
            Some(Token::Sign(')')) => {
                depth -= 1;
                if depth == 0 {
                    values.push(value);
                    return Ok(values);
                }
            }
            Some(Token::Sign(',')) if depth == 1 => values.push(std::mem::take(&mut value)),
            Some(Token::Text(text)) => value = text,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("NULL") => {}
            // `_binary 'x'`: the text behind it counts.
            Some(Token::Word(word)) => value = word,
            Some(Token::Sign(_)) => {}
            None => return Err(tokens.torn()),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// A word or a number, or a name in quotes.
    Word(String),
    /// A text in single quotes, or in double ones.
    Text(String),
    Sign(char),
}

impl Token {
    fn is(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

struct Tokens<'a> {
    rest: &'a str,
    line: usize,
    backslashes: bool,
}

impl Tokens<'_> {
    fn next(&mut self) -> Result<Option<Token>, String> {
        loop {
            let Some(letter) = self.rest.chars().next() else { return Ok(None) };
            if letter.is_whitespace() {
                self.skip(letter.len_utf8());
            } else if self.rest.starts_with("--") || letter == '#' {
                self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                self.skip(self.rest.find("*/").map_or(self.rest.len(), |end| end + 2));
            } else {
                break;
            }
        }
        let letter = self.rest.chars().next().unwrap_or_default();
        if matches!(letter, '\'' | '"') {
            return self.quoted(letter).map(|text| Some(Token::Text(text)));
        }
        if letter == '`' {
            return self.quoted(letter).map(|text| Some(Token::Word(text)));
        }
        let word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$' | '-' | '+' | ':');
        let length = self.rest.find(|letter| !word(letter)).unwrap_or(self.rest.len());
        if length == 0 {
            self.skip(letter.len_utf8());
            return Ok(Some(Token::Sign(letter)));
        }
        let text = self.rest.get(..length).unwrap_or_default().to_owned();
        self.skip(length);
        Ok(Some(Token::Word(text)))
    }

    /// What stands in quotes: a doubled quote is one; a backslash takes the next letter as it is, or as MySQL names it.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let torn = self.torn();
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1).peekable();
        while let Some((at, letter)) = letters.next() {
            if letter == quote {
                if letters.peek().is_some_and(|(_, next)| *next == quote) {
                    letters.next();
                } else {
                    self.skip(at + quote.len_utf8());
                    return Ok(text);
                }
            } else if letter == '\\' && self.backslashes && quote != '`' {
                let Some((_, escaped)) = letters.next() else { break };
                text.push(match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '0' => '\0',
                    'Z' => '\u{1a}',
                    other => other,
                });
                continue;
            }
            text.push(letter);
        }
        Err(torn)
    }

    fn skip(&mut self, bytes: usize) {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.line += skipped.matches('\n').count();
        self.rest = rest;
    }

    fn torn(&self) -> String {
        format!("line {}: this statement has no end: the file is torn, or no SQL", self.line)
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{is_sql, read};

    #[test]
    fn rows_of_one_table_come_out_of_a_dump() {
        let dump = "-- MySQL dump 10.19\n/*!40101 SET NAMES utf8 */;\nCREATE TABLE `other` (`id` int, `x` text);\n\
            CREATE TABLE `subscriber` (\n  `id` int(10) unsigned NOT NULL AUTO_INCREMENT,\n  `username` varchar(64) NOT NULL DEFAULT '',\n  \
            `rate` decimal(10,2) DEFAULT NULL,\n  PRIMARY KEY (`id`),\n  UNIQUE KEY `account_idx` (`username`,`domain`)\n) ENGINE=InnoDB;\n\
            INSERT INTO `other` VALUES (1,'x');\n\
            INSERT INTO `subscriber` VALUES (1,'o\\'neil',NULL),(2,'it''s; (me)',-1.5);\nINSERT INTO `subscriber` VALUES (3,_binary 'b',0x41);\n";
        let table = read(dump, "subscriber").unwrap();
        assert_eq!(table.columns, ["id", "username", "rate"]);
        let rows: Vec<(usize, Vec<&str>)> =
            table.rows.iter().map(|(line, row)| (*line, row.iter().map(String::as_str).collect())).collect();
        assert_eq!(rows[0], (12, vec!["1", "o'neil", ""]));
        assert_eq!((rows[1].1[1], rows[2].1[1]), ("it's; (me)", "b"));
        assert_eq!((rows.len(), rows[2].0), (3, 13));
        let with_columns = "insert ignore into kamailio.\"subscriber\" (username, `ha1`) values ('a', 'b');";
        assert_eq!(read(with_columns, "subscriber").unwrap().columns, ["username", "ha1"]);
    }

    #[test]
    fn a_backslash_is_itself_in_sqlite() {
        let values = "INSERT INTO subscriber VALUES(1,'a\\');INSERT INTO subscriber VALUES(2,'b');";
        let sqlite = format!("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n{values}\nCOMMIT;\n");
        let rows = read(&sqlite, "subscriber").unwrap().rows;
        assert_eq!((rows.len(), rows[0].1[1].as_str()), (2, "a\\"));
        assert!(read(values, "subscriber").is_err(), "in MySQL that quote does not end the text");
    }

    #[test]
    fn what_is_torn_says_where() {
        for torn in [
            "INSERT INTO subscriber VALUES (1,'a",
            "x;\nINSERT INTO subscriber VALUES (1,'a'",
            "CREATE TABLE subscriber (id int",
        ] {
            let said = read(torn, "subscriber").unwrap_err();
            assert!(said.starts_with("line ") && said.contains("torn"), "{said}");
        }
        assert!(is_sql("insert into x values (1)") && !is_sql("username,domain,ha1\n"));
    }
}
