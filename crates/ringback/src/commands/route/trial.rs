use super::Test;
use super::case::Case;
use crate::console::Console;
use crate::exit::{Exit, Failure, Outcome};
use routing::{Action, Condition, Decision, Destination, Facts, Fit, Rule};
use serde_json::{Map, Value, json};
use server::{DIVERSIONS_MAX, Mode};
use sip_message::reason_phrase;

pub(super) fn run(test: &Test, console: &Console) -> Outcome {
    let case = Case::new(test)?;
    let mut trial = Trial { case: &case, console, result: Map::new(), to: Vec::new() };
    let end = trial.run()?;
    trial.tell_result(&end);
    Ok(match end {
        End::Leads => Exit::Done,
        End::Refused { .. } => Exit::Negative,
    })
}

/// How a trial ends.
enum End {
    /// It leads somewhere; all that can be said of it is said.
    Leads,
    Refused {
        status: u16,
        why: String,
    },
}

fn refused(status: u16, why: impl Into<String>) -> Result<End, Failure> {
    Ok(End::Refused { status, why: why.into() })
}

/// One request on its way through the rules and the forwards.
struct Trial<'a> {
    case: &'a Case,
    console: &'a Console,
    /// Of the first rule that fires.
    result: Map<String, Value>,
    to: Vec<Value>,
}

impl Trial<'_> {
    fn run(&mut self) -> Result<End, Failure> {
        let case = self.case;
        let who = match (&case.caller, &case.trunk) {
            (_, Some(trunk)) => format!("through trunk {trunk}"),
            (Some(user), None) => format!("by user {user}, who has logged in"),
            (None, None) => "by somebody who has proved nothing".to_owned(),
        };
        self.console.say(format!("{} from {} to {}, {who}", case.method(), case.from(), case.to));
        if case.config.auth.required
            && case.trunk.is_none()
            && case.caller.is_none()
            && let Some(name) = case.name_used()
        {
            return refused(407, format!("{name} is none of our users, so that nobody can log in with that name"));
        }
        self.follow(&case.to, &mut Vec::new())
    }

    /// Where the request goes when it is for `uri`, after these users have forwarded it.
    fn follow(&mut self, uri: &str, trail: &mut Vec<String>) -> Result<End, Failure> {
        let case = self.case;
        let payer = trail.last().cloned();
        let registered = case.user_of(uri).and_then(|user| case.registered(&user));
        let Some(facts) = case.facts(uri, payer.as_deref(), registered) else { return refused(404, "that is no URI") };
        let decision = case.config.rules.decide(&facts);
        self.tell_rules(&facts, decision);
        match decision {
            Decision::Rule(rule) => self.obey(rule, &facts, trail),
            Decision::AskRegistered => Err(Failure::usage(
                "which rule fires depends on whether the user called is registered: add --registered yes, or --registered no",
            )),
            Decision::None => match case.user_of(uri) {
                Some(user) => self.reach(&user, trail),
                None if facts.to_ours => refused(404, "nobody is called that here"),
                None if case.config.rules.trunks().are_at(&facts.to) => {
                    refused(403, "that is where a trunk is, and to a trunk leads a rule or nothing")
                }
                None if facts.caller.is_none() && case.config.auth.required => {
                    refused(407, "only our users may call through us to others")
                }
                None => {
                    self.lead(&Destination { uri: uri.to_owned(), trunk: None, ours: false }, "");
                    Ok(End::Leads)
                }
            },
        }
    }

    fn obey(&mut self, rule: &Rule, facts: &Facts<'_>, trail: &mut Vec<String>) -> Result<End, Failure> {
        let rules = &self.case.config.rules;
        if self.case.config.auth.required && !rule.is_for(facts) {
            return refused(407, format!("{} leads out of the exchange, and is not open to everybody", rule.title()));
        }
        if let Action::Reject { status, reason } = &rule.action {
            return refused(*status, reason.clone().unwrap_or_default());
        }
        let destinations = rules.destinations(rule, facts);
        if let Action::Redirect { status, .. } = &rule.action
            && !destinations.is_empty()
        {
            for contact in rules.contacts(rule, facts) {
                self.console.say(format!("the caller is told {status} {}: {contact}", reason_phrase(*status)));
            }
            self.to.extend(destinations.iter().map(|to| json!({"uri": to.uri})));
            return Ok(End::Leads);
        }
        let user = |to: &Destination<'_>| match to.ours {
            true => self.case.user_of(&to.uri),
            false => self.case.user_of(&to.uri).filter(|_| to.trunk.is_none()),
        };
        match &destinations[..] {
            [] => refused(484, "nothing is left of the number, or its trunk has no `to`"),
            [only] => match user(only) {
                Some(user) => self.reach(&user, trail),
                None => {
                    self.lead(only, "");
                    Ok(End::Leads)
                }
            },
            several => {
                let between = match &rule.action {
                    Action::Fork { .. } => "at the same time ",
                    Action::Serial { .. } => "then ",
                    _ => "if that does not work, ",
                };
                let mut before = "";
                for to in several {
                    self.lead(to, before);
                    before = between;
                }
                Ok(End::Leads)
            }
        }
    }

    /// A user of ours is called.
    fn reach(&mut self, user: &str, trail: &mut Vec<String>) -> Result<End, Failure> {
        let case = self.case;
        if !case.users.contains_key(user) && case.config.auth.required {
            return refused(480, format!("nobody is called {user} here, which callers are not told from being away"));
        }
        if trail.iter().any(|earlier| earlier == user) || trail.len() >= DIVERSIONS_MAX {
            return refused(480, format!("forwards lead round and round: {} -> {user}", trail.join(" -> ")));
        }
        let registered = case.registered(user);
        let forwards = case.users.get(user).filter(|_| case.is_call());
        let elsewhere = forwards.and_then(|forwards| match (&forwards.always, &forwards.not_registered) {
            (Some(place), _) => Some((place, "every call")),
            (None, Some(place)) if registered == Some(false) => Some((place, "what finds no phone of theirs")),
            _ => None,
        });
        if let Some((place, what)) = elsewhere {
            self.console.say(format!("user {user} forwards {what} to {place}"));
            let uri = case.facts(&case.to, None, None).and_then(|facts| case.config.rules.uri(place, &facts));
            trail.push(user.to_owned());
            return match uri {
                Some(uri) => self.follow(&uri, trail),
                None => refused(480, format!("{place} is no place for this call")),
            };
        }
        if registered == Some(false) {
            return refused(480, format!("no phone of user {user} is there"));
        }
        self.lead(&Destination { uri: case.config.rules.home_uri(user), trunk: None, ours: true }, "");
        for (when, place) in forwards.iter().flat_map(|forwards| forwards.places()) {
            match when {
                "busy" => self.console.say(format!("when busy, it goes to {place}")),
                "no_answer" => {
                    let seconds = forwards.as_ref().map_or(0, |forwards| forwards.no_answer_after_s);
                    self.console.say(format!("when nobody answers within {seconds} s, it goes to {place}"));
                }
                _ => self.console.say(format!("when no phone is there, it goes to {place}")),
            }
        }
        Ok(End::Leads)
    }

    /// Says which rules were asked, up to the one that fires; in words only those that are about such requests to that number.
    fn tell_rules(&mut self, facts: &Facts<'_>, decision: Decision<'_>) {
        for (rule, fit) in self.case.config.rules.fits(facts) {
            let event = |fits: bool, because: Option<&str>| json!({"event": "rule", "route": rule.number, "name": rule.name, "fits": fits, "because": because});
            match fit {
                Fit::No(condition) => {
                    if !matches!(condition, Condition::Method | Condition::To) {
                        self.console.say(format!("  {} does not fit: {}", rule.title(), condition.as_str()));
                    }
                    self.console.event(&event(false, Some(condition.as_str())));
                }
                Fit::AskRegistered => break,
                Fit::Yes => {
                    self.console.say(format!("  {rule}"));
                    self.console.event(&event(true, None));
                    break;
                }
            }
        }
        if decision == Decision::None && !self.case.config.rules.as_slice().is_empty() {
            self.console.say("  no rule fits: it goes where it says");
        }
        if self.result.is_empty() {
            let rule = if let Decision::Rule(rule) = decision { Some(rule) } else { None };
            self.result.insert("route".to_owned(), json!(rule.map(|rule| rule.number)));
            self.result.insert("name".to_owned(), json!(rule.and_then(|rule| rule.name.as_ref())));
            self.result.insert("do".to_owned(), json!(rule.map(|rule| rule.action.as_str())));
        }
    }

    /// A place where it goes.
    fn lead(&mut self, to: &Destination<'_>, before: &str) {
        let user = if to.ours { self.case.user_of(&to.uri) } else { None };
        let what = match (&user, to.trunk) {
            (Some(user), _) if self.case.users.contains_key(user) => format!("user {user}"),
            (Some(user), _) => format!("{user}, who is none of our users"),
            (None, Some(trunk)) => format!("{}, which is trunk {}", to.uri, trunk.name),
            (None, None) => to.uri.clone(),
        };
        let verb =
            if self.case.config.proxy.mode == Mode::Redirect { "the caller is told to call" } else { "it goes to" };
        self.console.say(format!("{before}{verb} {what}"));
        let trunk = to.trunk.map(|trunk| &trunk.name);
        self.to.push(json!({"uri": to.uri, "user": user, "trunk": trunk}));
    }

    fn tell_result(&mut self, end: &End) {
        let (leads, status) = match end {
            End::Leads => (true, None),
            End::Refused { status, why } => {
                let phrase = reason_phrase(*status);
                let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
                self.console.complain(format!("it is refused: {status} {phrase}{why}"));
                (false, Some(status))
            }
        };
        let mut result = std::mem::take(&mut self.result);
        result.insert("event".to_owned(), json!("result"));
        result.insert("leads".to_owned(), json!(leads));
        result.insert("status".to_owned(), json!(status));
        result.insert("to".to_owned(), Value::Array(std::mem::take(&mut self.to)));
        self.console.event(&Value::Object(result));
    }
}
