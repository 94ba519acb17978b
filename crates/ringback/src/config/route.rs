use super::keys::{DO, LIMIT, ROUTE, WHEN};
use super::problem::Problem;
use super::table::{Table, each, nearest};
use super::value::{Kind, Value};
use routing::{
    Action, AddressPattern, Days, HeaderPattern, Hours, Limit, Network, PLACES_MAX, Pattern, Place, REDIRECTS, RING_S,
    RING_S_MAX, Rule, Trunk, Wanted, When,
};
use sip_message::{Method, Transport};
use std::time::Duration;

/// The status of a rejection that says none.
const FORBIDDEN: u16 = 403;

/// The status of a redirection that says none.
const MOVED_TEMPORARILY: u16 = 302;

/// Characters that a number can be shortened by.
const STRIP_MAX: u32 = 64;

/// Reads one `[[route]]` of an exchange with these trunks.
pub(super) fn read(value: &Value, trunks: &[Trunk], problems: &mut Vec<Problem>) -> Option<Rule> {
    let before = problems.len();
    let table = Table::open(value, "a route", ROUTE, problems)?;
    let action = action(&table, trunks, problems);
    let rule = Rule {
        name: table.take("name", problems, Value::text),
        when: table.get("when").map_or_else(When::default, |value| when(value, trunks, problems)),
        strip: table.take("strip", problems, |value, key| value.number(key, 0..STRIP_MAX + 1)).unwrap_or(0) as usize,
        prefix: table.take("prefix", problems, prefix).unwrap_or_default(),
        limit: table.get("limit").and_then(|value| limit(value, problems)),
        open: table.take("open", problems, Value::switch).unwrap_or_default(),
        ..Rule::new(action?)
    };
    for key in ["strip", "prefix"] {
        let places = rule.action.places();
        if let Some(value) = table.get(key)
            && !places.is_empty()
            && !places.iter().any(Place::has_user)
        {
            let help = "put {user} where the number belongs, such as sip:{user}@gateway.example.net";
            problems.push(value.problem(format!("`{key}` changes the number, and `to` has no number in it"), help));
        }
    }
    (problems.len() == before).then_some(rule)
}

/// Reads what a rule does, with the keys that belong to that.
fn action(table: &Table<'_>, trunks: &[Trunk], problems: &mut Vec<Problem>) -> Option<Action> {
    let (word, at) = table.needed("do", problems)?;
    let own: &[&str] = match word.as_str() {
        "dial" | "fork" => &["to", "strip", "prefix", "open"],
        "serial" => &["to", "ring_s", "strip", "prefix", "open"],
        "redirect" => &["to", "status", "strip", "prefix"],
        "reject" => &["status", "reason"],
        "trunk" | "stateless" => &["to", "strip", "prefix", "open"],
        "user" => &["strip", "prefix"],
        other => {
            let help = match nearest(other, DO.iter().copied()) {
                Some(word) => format!("did you mean \"{word}\"?"),
                None => format!("there are {}", DO.join(", ")),
            };
            problems.push(at.problem(format!("`do` cannot be {other:?}"), help));
            return None;
        }
    };
    for key in ["to", "ring_s", "status", "reason", "strip", "prefix", "open"] {
        if let Some(value) = table.get(key).filter(|_| !own.contains(&key)) {
            problems.push(value.problem(format!("`{key}` means nothing with do = \"{word}\""), "remove it"));
        }
    }
    let status = |range: std::ops::Range<u32>, usual| {
        move |problems: &mut Vec<Problem>| {
            let number = table.take("status", problems, |value, key| value.number(key, range));
            number.map_or(usual, |number| u16::try_from(number).unwrap_or(usual))
        }
    };
    if !matches!(word.as_str(), "reject" | "user" | "stateless") && table.get("to").is_none() {
        problems.push(at.problem(format!("a route with do = \"{word}\" has no `to`"), "add to = [\"..\"]"));
        return None;
    }
    let action = match word.as_str() {
        "trunk" => Action::Trunk { names: table.each("to", problems, |name| known(name, trunks)) },
        "reject" => Action::Reject {
            status: status(400..700, FORBIDDEN)(problems),
            reason: table.take("reason", problems, reason),
        },
        "user" => Action::User,
        _ => {
            let mut to = table.each("to", problems, Place::parse);
            if to.len() > PLACES_MAX {
                let what = format!("`to` has {} places", to.len());
                problems.push(table.get("to").unwrap_or(at).problem(what, format!("{PLACES_MAX} is the most")));
            }
            match word.as_str() {
                "dial" => Action::Dial { to },
                "fork" => Action::Fork { to },
                "serial" => {
                    let ring = |value: &Value, key: &str| value.number(key, 1..RING_S_MAX + 1);
                    let ring_s = table.take("ring_s", problems, ring).unwrap_or(RING_S);
                    Action::Serial { to, ring: Duration::from_secs(u64::from(ring_s)) }
                }
                "redirect" => {
                    let status = status(300..400, MOVED_TEMPORARILY)(problems);
                    if !REDIRECTS.contains(&status) {
                        let help = "300, 301, 302, 305 or 380 is needed (RFC 3261 section 21.3)";
                        let at = table.get("status").unwrap_or(at);
                        problems.push(at.problem(format!("{status} is no redirection"), help));
                    }
                    Action::Redirect { status, to }
                }
                _ => {
                    if to.len() > 1 {
                        let what = "without state there is no way to try a second place";
                        problems.push(table.get("to").unwrap_or(at).problem(what, "name one"));
                    }
                    Action::Stateless { to: to.pop() }
                }
            }
        }
    };
    Some(action)
}

fn known(name: &str, trunks: &[Trunk]) -> Result<String, String> {
    let names = || trunks.iter().map(|trunk| trunk.name.as_str());
    match (names().any(|known| known == name), nearest(name, names())) {
        (true, _) => Ok(name.to_owned()),
        (false, Some(meant)) => Err(format!("the name of a [[trunk]], such as {meant:?},")),
        (false, None) => Err("the name of a [[trunk]]".to_owned()),
    }
}

fn prefix(value: &Value, key: &str) -> Result<String, Problem> {
    let text = value.text(key)?;
    let odd = |letter: char| letter.is_whitespace() || letter.is_control() || "@:;?{}<>\"".contains(letter);
    if text.contains(odd) {
        return Err(value.problem(format!("`{key}` cannot be {text:?}"), "digits, + and letters are possible"));
    }
    Ok(text)
}

fn reason(value: &Value, key: &str) -> Result<String, Problem> {
    let text = value.text(key)?;
    if text.contains(char::is_control) {
        return Err(value.problem(format!("`{key}` must be one line"), "without line breaks"));
    }
    Ok(text)
}

fn limit(value: &Value, problems: &mut Vec<Problem>) -> Option<Limit> {
    let table = Table::open(value, "limit", LIMIT, problems)?;
    let number = |value: &Value, key: &str| value.number(key, 1..Limit::PER_MINUTE_MAX + 1);
    if table.get("per_minute").is_none() {
        problems.push(value.problem("limit has no per_minute", "such as limit = { per_minute = 30 }"));
    }
    let burst = table.take("burst", problems, number);
    Some(Limit::new(table.take("per_minute", problems, number)?, burst))
}

/// Reads the `when = {}` of a route.
fn when(value: &Value, trunks: &[Trunk], problems: &mut Vec<Problem>) -> When {
    let Some(table) = Table::open(value, "when", WHEN, problems) else { return When::default() };
    let trunk = |text: &str| {
        let pattern = Pattern::parse(text).map_err(|wanted| wanted.to_string())?;
        if trunks.iter().any(|trunk| pattern.matches(&trunk.name)) || pattern.is_anything() {
            return Ok(pattern);
        }
        known(text, trunks).map(|_| pattern)
    };
    let transport = |text: &str| Transport::parse(text).ok_or(Wanted("udp, tcp, tls, ws or wss"));
    let days = table.each("days", problems, Days::parse).into_iter().reduce(Days::and);
    When {
        methods: table.each("method", problems, method),
        to: table.each("to", problems, AddressPattern::parse),
        from: table.each("from", problems, AddressPattern::parse),
        callers: table.each("caller", problems, Pattern::parse),
        trunks: table.each("trunk", problems, trunk),
        sources: table.each("source", problems, Network::parse),
        transports: table.each("transport", problems, transport),
        headers: table.get("header").map_or(Vec::new(), |value| headers(value, problems)),
        days: days.unwrap_or_default(),
        hours: table.each("time", problems, Hours::parse),
        registered: table.take("registered", problems, Value::switch),
    }
}

/// Methods have their case (RFC 3261 section 7.1); `invite` was never meant.
fn method(text: &str) -> Result<String, String> {
    let token =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte));
    let alike = Method::ALL.iter().find(|method| method.as_str().eq_ignore_ascii_case(text));
    match alike {
        Some(Method::Ack | Method::Cancel) => {
            Err("another one: ACK and CANCEL go where their INVITE went, and no rule is asked; that".to_owned())
        }
        Some(method) if method.as_str() != text => Err(format!("{method}, in capitals,")),
        _ if token => Ok(text.to_owned()),
        _ => Err("the name of a method, such as INVITE,".to_owned()),
    }
}

fn headers(value: &Value, problems: &mut Vec<Problem>) -> Vec<HeaderPattern> {
    let Kind::Table(entries) = &value.kind else {
        let help = "header fields and what they look like, such as { \"X-Line\" = \"2*\" }";
        problems.push(value.problem("wrong type for `header`", help));
        return Vec::new();
    };
    let mut headers = Vec::new();
    for (name, span, entry) in entries {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            let (source, what) = (entry.source.clone(), format!("{name:?} cannot be the name of a header field"));
            problems.push(Problem { source, span: span.clone(), what, help: "such as \"X-Line\"".to_owned() });
        }
        headers.push(HeaderPattern::new(name, each(entry, name, problems, Pattern::parse)));
    }
    headers
}
