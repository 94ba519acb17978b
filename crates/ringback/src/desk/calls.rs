use super::{Desk, Values, one};
use crate::exit::Failure;
use crate::moment::rfc3339;
use serde_json::{Value, json};
use server::{CallId, CallState, CallSummary, Order, Report, Story};

/// What both ends are told of a call that an operator ends (RFC 3326).
const BY_OPERATOR: &str = "SIP;cause=200;text=\"Ended by the operator\"";

impl Desk {
    pub(super) async fn list_calls(&self) -> Result<Values, Failure> {
        let reports = self.orders()?.ask_all(|ticket| Order::Calls { ticket }).await;
        let mut calls: Vec<CallSummary> = Vec::new();
        for report in reports {
            if let Report::Calls(more) = report {
                calls.extend(more);
            }
        }
        calls.sort_by_key(|call| (call.started, call.id));
        Ok(Box::new(calls.into_iter().map(|call| summary(&call))))
    }

    pub(super) async fn show_call(&self, call: String) -> Result<Values, Failure> {
        let reports = self.orders()?.ask_all(|ticket| Order::Show { ticket, call: call.clone() }).await;
        let story = reports.into_iter().find_map(|report| match report {
            Report::Story(story) => story,
            _ => None,
        });
        match story {
            Some(story) => one(told(&story)),
            None => Err(Failure::negative(format!(
                "nothing is remembered of a call {call}; `ringback calls ls` and `ringback calls history` have names and Call-IDs"
            ))),
        }
    }

    pub(super) async fn hang_up(&self, id: String) -> Result<Values, Failure> {
        let unknown = || Failure::negative(format!("there is no call {id}; `ringback calls ls` has those that are"));
        let orders = self.orders()?;
        let name: CallId = match id.parse() {
            Ok(name) => name,
            // A Call-ID, perhaps.
            Err(()) => {
                let reports = orders.ask_all(|ticket| Order::Calls { ticket }).await;
                let mut calls = reports.into_iter().flat_map(|report| match report {
                    Report::Calls(calls) => calls,
                    _ => Vec::new(),
                });
                calls.find(|call| call.call_id == id).ok_or_else(unknown)?.id
            }
        };
        let reason = BY_OPERATOR.to_owned();
        let report = orders.ask(name.shard.into(), |ticket| Order::HangUp { ticket, id: name, reason }).await;
        match report {
            Some(Report::HungUp(true)) => one(json!({"hung_up": name.to_string()})),
            _ => Err(unknown()),
        }
    }
}

fn summary(call: &CallSummary) -> Value {
    json!({
        "id": call.id.to_string(),
        "call_id": call.call_id,
        "from": call.from,
        "to": call.to,
        "caller": call.caller,
        "callee": call.callee,
        "source": call.source.to_string(),
        "state": match call.state {
            CallState::Trying => "trying",
            CallState::Ringing => "ringing",
            CallState::Answered => "answered",
        },
        "started": rfc3339(call.started),
        "answered": call.answered.map(rfc3339),
    })
}

fn told(story: &Story) -> Value {
    let steps = story.ladder.iter().map(|step| {
        json!({
            "at": rfc3339(step.at),
            "from": step.from,
            "to": step.to,
            "label": step.label,
            "repeated": step.repeated,
        })
    });
    json!({
        "id": story.id.map(|id| id.to_string()),
        "call_id": story.call_id,
        "parties": story.parties,
        "ladder": steps.collect::<Vec<_>>(),
        "how": story.how,
    })
}
