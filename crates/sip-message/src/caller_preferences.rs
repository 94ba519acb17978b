use crate::text::unquote;
use crate::{HeaderName, Message, Method, Params};

/// Values of Accept-Contact and of Reject-Contact that count, of each; further ones are as if they were not there.
pub const PREFERENCES_MAX: usize = 16;

/// Values of feature parameters that count, of one contact or one preference; further ones are as if they were not there.
pub const FEATURES_MAX: usize = 64;

/// What a caller prefers of the contacts of whom he calls (RFC 3841 section 7.2).
#[derive(Debug)]
pub struct CallerPreferences {
    reject: Vec<Predicate>,
    accept: Vec<Accept>,
    /// The request names no preferences; these follow from its method and event package.
    implicit: bool,
}

#[derive(Debug)]
struct Accept {
    predicate: Predicate,
    require: bool,
    explicit: bool,
}

impl CallerPreferences {
    /// Those that a request names; where it names none, those that are implied (RFC 3841 sections 7.2.1 and 7.2.2).
    pub fn of(request: &Message) -> CallerPreferences {
        let values = |name| request.values(name).take(PREFERENCES_MAX).map(|value| Params::behind(value).1);
        let reject: Vec<Predicate> = values(HeaderName::RejectContact).map(Predicate::of).collect();
        let accept = |params: Params<'_>| Accept {
            predicate: Predicate::of(params),
            require: params.get("require").is_some(),
            explicit: params.get("explicit").is_some(),
        };
        let accept: Vec<Accept> = values(HeaderName::AcceptContact).map(accept).collect();
        if !reject.is_empty() || !accept.is_empty() {
            return CallerPreferences { reject, accept, implicit: false };
        }
        let mut predicate = Predicate(vec![Term::token("sip.methods", request.method_text())]);
        if request.method() == Method::Subscribe
            && let Some(event) = request.header(HeaderName::Event)
        {
            let package = Params::behind(event).0;
            predicate.0.push(Term::token("sip.events", package));
        }
        let accept = vec![Accept { predicate, require: true, explicit: false }];
        CallerPreferences { reject, accept, implicit: true }
    }

    /// The contacts that remain, as indices of `contacts`, the best first: by their own q (in thousandths), and among those of one q by
    /// how well they fit (RFC 3841 section 7.2.4). Each is its q and the parameters of its Contact; one without feature parameters
    /// always remains.
    pub fn order(&self, contacts: &[(u16, Params<'_>)]) -> Vec<usize> {
        let mut kept: Vec<(usize, f64)> = Vec::new();
        for (index, (_, params)) in contacts.iter().enumerate() {
            let features = Predicate::of(*params);
            let fits = if features.0.is_empty() { Some(1.0) } else { self.fits(&features) };
            kept.extend(fits.map(|fits| (index, fits)));
        }
        if kept.is_empty() && self.implicit {
            // So that those are tried after all, and say 405 or 489 themselves.
            kept = (0..contacts.len()).map(|index| (index, 1.0)).collect();
        }
        let q = |index: usize| contacts.get(index).map_or(0, |(q, _)| *q);
        kept.sort_by(|a, b| q(b.0).cmp(&q(a.0)).then(b.1.total_cmp(&a.1)));
        kept.into_iter().map(|(index, _)| index).collect()
    }

    /// How well a contact fits, 0 to 1 (the caller preference Qa); `None` when it is dropped.
    fn fits(&self, contact: &Predicate) -> Option<f64> {
        let known = |reject: &&Predicate| reject.0.iter().all(|term| contact.term(&term.name).is_some());
        if self.reject.iter().filter(known).any(|reject| reject.matches(contact)) {
            return None;
        }
        let (mut sum, mut matching) = (0.0, 0.0);
        for Accept { predicate, require, explicit } in &self.accept {
            if !predicate.matches(contact) {
                if *require {
                    return None;
                }
                continue;
            }
            let score = predicate.score(contact);
            matching += 1.0;
            sum += match (score < 1.0 && *explicit, *require) {
                (true, true) => return None,
                (true, false) => 0.0,
                (false, _) => score,
            };
        }
        Some(if matching > 0.0 { sum / matching } else { 0.0 })
    }
}

/// All of these terms hold (RFC 3841 section 8).
#[derive(Debug)]
struct Predicate(Vec<Term>);

/// A feature has one of these values.
#[derive(Debug)]
struct Term {
    name: String,
    values: Vec<(Value, Sign)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Is,
    IsNot,
}

#[derive(Debug, PartialEq)]
enum Value {
    /// In small letters: compared in any case.
    Token(String),
    Text(String),
    /// From, to, both among them.
    Range(f64, f64),
}

impl Predicate {
    fn of(params: Params<'_>) -> Predicate {
        let mut terms = Vec::new();
        let mut left = FEATURES_MAX;
        for (name, value) in params.iter() {
            let Some(name) = feature_name(name) else { continue };
            let values: Vec<_> = values_of(value.unwrap_or("TRUE")).into_iter().take(left).collect();
            left -= values.len();
            if !values.is_empty() {
                terms.push(Term { name, values });
            }
        }
        Predicate(terms)
    }

    fn term(&self, name: &str) -> Option<&Term> {
        self.0.iter().find(|term| term.name == name)
    }

    /// Whether both can hold of one thing (RFC 2533 section 4): what only one of them mentions is no obstacle.
    fn matches(&self, contact: &Predicate) -> bool {
        self.0.iter().all(|term| contact.term(&term.name).is_none_or(|theirs| term.overlaps(theirs)))
    }

    /// The share of terms that the contact mentions.
    fn score(&self, contact: &Predicate) -> f64 {
        let mentioned = self.0.iter().filter(|term| contact.term(&term.name).is_some()).count();
        if self.0.is_empty() { 1.0 } else { mentioned as f64 / self.0.len() as f64 }
    }
}

impl Term {
    fn token(name: &str, value: &str) -> Term {
        Term { name: name.to_owned(), values: vec![(Value::Token(value.to_ascii_lowercase()), Sign::Is)] }
    }

    fn overlaps(&self, other: &Term) -> bool {
        self.values.iter().any(|(ours, sign)| {
            other.values.iter().any(|(theirs, other_sign)| match (sign, other_sign) {
                (Sign::Is, Sign::Is) => ours.overlaps(theirs),
                (Sign::Is, Sign::IsNot) => !theirs.contains(ours),
                (Sign::IsNot, Sign::Is) => !ours.contains(theirs),
                (Sign::IsNot, Sign::IsNot) => true,
            })
        })
    }
}

impl Value {
    fn overlaps(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Range(from, to), Value::Range(other_from, other_to)) => from <= other_to && other_from <= to,
            _ => self == other,
        }
    }

    fn contains(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Range(from, to), Value::Range(other_from, other_to)) => from <= other_from && other_to <= to,
            _ => self == other,
        }
    }
}

/// The feature tag that a parameter stands for; `None` for a parameter of another kind (RFC 3841 sections 7.2.1 and 8).
fn feature_name(name: &str) -> Option<String> {
    const BASE: [&str; 20] = [
        "audio",
        "automata",
        "class",
        "duplex",
        "data",
        "control",
        "mobility",
        "description",
        "events",
        "priority",
        "methods",
        "extensions",
        "schemes",
        "application",
        "video",
        "language",
        "type",
        "isfocus",
        "actor",
        "text",
    ];
    let name = name.to_ascii_lowercase();
    if let Some(other) = name.strip_prefix('+') {
        return Some(other.replace('!', ":").replace('\'', "/"));
    }
    match &*name {
        "language" | "type" => Some(name),
        _ => BASE.contains(&&*name).then(|| format!("sip.{name}")),
    }
}

/// The values of `"en,!de"`, `"<PC>"`, `"#>=4"`, `TRUE`.
fn values_of(text: &str) -> Vec<(Value, Sign)> {
    let text = unquote(text);
    if let Some(string) = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) {
        return vec![(Value::Text(string.to_owned()), Sign::Is)];
    }
    let value = |one: &str| {
        let one = one.trim();
        let (one, sign) = one.strip_prefix('!').map_or((one, Sign::Is), |one| (one, Sign::IsNot));
        let value = one.strip_prefix('#').and_then(range).unwrap_or_else(|| Value::Token(one.to_ascii_lowercase()));
        (value, sign)
    };
    text.split(',').take(FEATURES_MAX).map(value).collect()
}

/// `=4`, `>=4`, `<=4`, `-4:+5.125`
fn range(text: &str) -> Option<Value> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    if let Some(least) = text.strip_prefix(">=") {
        return Some(Value::Range(number(least)?, f64::INFINITY));
    }
    if let Some(most) = text.strip_prefix("<=") {
        return Some(Value::Range(f64::NEG_INFINITY, number(most)?));
    }
    if let Some(only) = text.strip_prefix('=') {
        let only = number(only)?;
        return Some(Value::Range(only, only));
    }
    let (from, to) = text.split_once(':')?;
    Some(Value::Range(number(from)?, number(to)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn order(method: &str, fields: &str, contacts: &[(u16, &str)]) -> Vec<usize> {
        let request = format!(
            "{method} sip:user@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:user@example.com>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n{fields}\r\n"
        );
        let request = Message::parse(Bytes::from(request)).unwrap();
        let contacts: Vec<_> = contacts.iter().map(|(q, params)| (*q, Params::new(params))).collect();
        CallerPreferences::of(&request).order(&contacts)
    }

    /// RFC 3841 section 7.2.5.
    #[test]
    fn the_example_of_the_rfc() {
        let contacts = [
            (200, ";audio;video;methods=\"INVITE,BYE\";q=0.2"),
            (200, ";audio=\"FALSE\";methods=\"INVITE\";actor=\"msg-taker\";q=0.2"),
            (300, ";audio;actor=\"msg-taker\";methods=\"INVITE\";video;q=0.3"),
            (200, ";audio;methods=\"INVITE,OPTIONS\";q=0.2"),
            (500, ";q=0.5"),
        ];
        let fields = "Reject-Contact: *;actor=\"msg-taker\";video\r\nAccept-Contact: *;audio;require\r\n\
                      Accept-Contact: *;video;explicit\r\na: *;methods=\"BYE\";class=\"business\";q=1.0\r\n";
        assert_eq!(order("INVITE", fields, &contacts), [4, 0, 3]);
        // The same preferences in one field, and the worse of two first.
        let fields = "j: *;actor=\"msg-taker\";video\r\n\
                      a: *;audio;require, *;video;explicit, *;methods=\"BYE\";class=\"business\";q=1.0\r\n";
        let turned = [contacts[3], contacts[0]];
        assert_eq!(order("INVITE", fields, &turned), [1, 0]);
    }

    #[test]
    fn without_preferences_the_method_and_the_event_package_decide() {
        let contacts = [(1000, ";methods=\"INVITE,BYE\""), (500, ";methods=\"MESSAGE\""), (100, "")];
        assert_eq!(order("MESSAGE", "", &contacts), [1, 2]);
        assert_eq!(order("INVITE", "", &contacts), [0, 2]);
        assert_eq!(order("INFO", "", &contacts[..2]), [0, 1], "nobody remains: all are tried, and say 405 themselves");
        let contacts = [(1000, ";events=\"presence\""), (1000, ";events=\"!presence\"")];
        assert_eq!(order("SUBSCRIBE", "Event: presence;id=1\r\n", &contacts), [0]);
        assert_eq!(order("SUBSCRIBE", "Event: reg\r\n", &contacts), [1]);
    }

    #[test]
    fn explicit_and_required_preferences_drop_who_does_not_say_it_has_the_feature() {
        let contacts = [(1000, ";audio"), (1000, ";audio;video"), (1000, ";audio;video=\"FALSE\""), (1000, "")];
        assert_eq!(order("INVITE", "a: *;video;require;explicit\r\n", &contacts), [1, 3]);
        assert_eq!(order("INVITE", "a: *;video;require\r\n", &contacts), [1, 3, 0]);
        assert_eq!(order("INVITE", "a: *;video\r\n", &contacts), [1, 3, 0, 2]);
        assert_eq!(order("INVITE", "j: *;video\r\n", &contacts), [3, 0, 2]);
        assert_eq!(order("INVITE", "a: *;video;require;explicit\r\n", &contacts[..1]), [0; 0], "a 480 is asked for");
    }

    #[test]
    fn values_of_features() {
        let fits = |wanted: &str, has: &str| {
            !order("INVITE", &format!("a: *;{wanted};require\r\n"), &[(1000, &format!(";{has}"))]).is_empty()
        };
        assert!(fits("language=\"en,de\"", "language=\"DE\"") && !fits("language=\"en\"", "language=\"de,fr\""));
        assert!(fits("description=\"<PC>\"", "description=\"<PC>\""));
        assert!(!fits("description=\"<PC>\"", "description=\"<pc>\""), "strings are compared as they are");
        assert!(fits("audio", "+sip.audio=\"true\"") && !fits("audio", "audio=\"FALSE\""));
        assert!(
            !fits("events=\"!presence\"", "events=\"presence\"") && fits("events=\"!presence\"", "events=\"!reg\"")
        );
        assert!(
            fits("+range=\"#-4:+5.125\"", "+range=\"#>=5\"") && !fits("+range=\"#-4:+5.125\"", "+range=\"#>=5.2\"")
        );
        assert!(
            fits("+n=\"#=4\"", "+n=\"#<=4\"") && !fits("+n=\"#=4\"", "+n=\"!#<=4\"") && !fits("+n=\"#=4\"", "+n=4")
        );
        assert!(fits("other=1", "other=2;audio"), "no feature parameter");
    }

    #[test]
    fn limits_on_preferences_and_features() {
        let contacts = [(1000, ";audio"), (1000, ";video")];
        let many = "a: *;text\r\n".repeat(PREFERENCES_MAX);
        assert_eq!(order("INVITE", &format!("{many}a: *;audio=\"FALSE\";require\r\n"), &contacts), [0, 1]);
        let many = "a: *;text\r\n".repeat(PREFERENCES_MAX - 1);
        assert_eq!(order("INVITE", &format!("{many}a: *;audio=\"FALSE\";require\r\n"), &contacts), [1]);
        let features = |count: usize| (0..count).map(|n| format!(";+x{n}")).collect::<String>() + ";audio=\"FALSE\"";
        let (most, too_many) = (features(FEATURES_MAX - 1), features(FEATURES_MAX));
        assert_eq!(order("INVITE", "a: *;audio;require\r\n", &[(1000, &most)]), [0; 0]);
        assert_eq!(order("INVITE", "a: *;audio;require\r\n", &[(1000, &too_many)]), [0]);
        let values = format!(";language=\"{}x\"", "y,".repeat(FEATURES_MAX));
        assert_eq!(order("INVITE", "a: *;language=\"x\";require\r\n", &[(1000, &values)]), [0; 0]);
    }
}
