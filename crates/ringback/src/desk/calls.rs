use super::{Desk, Values, one};
use crate::exit::Failure;
use crate::moment::rfc3339;
use serde_json::{Value, json};
use server::{CallId, CallRecord, CallState, CallSummary, Mode, Order, Report, Story};
use std::time::{Duration, UNIX_EPOCH};
use store::Query;

/// What both ends are told of a call that an operator ends (RFC 3326).
const BY_OPERATOR: &str = "SIP;cause=200;text=\"Ended by the operator\"";

/// Records among which a call is looked for of which nothing else is left.
const HISTORY_LOOKED_AT: u32 = 10_000;

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
        let proxy = &self.settings().config.proxy;
        if calls.is_empty() && !(proxy.mode == Mode::CallStateful || proxy.mode == Mode::Stateful && proxy.record_route)
        {
            let what = "nothing is known of calls: with this proxy.mode, or without proxy.record_route, they do not stay with the exchange";
            return Err(Failure::negative(what));
        }
        Ok(Box::new(calls.into_iter().map(|call| summary(&call))))
    }

    pub(super) async fn show_call(&self, call: String) -> Result<Values, Failure> {
        let reports = self.orders()?.ask_all(|ticket| Order::Show { ticket, call: call.clone() }).await;
        let story = reports.into_iter().find_map(|report| match report {
            Report::Story(story) => story,
            _ => None,
        });
        if let Some(story) = story {
            return one(told(&story));
        }
        // The ring has forgotten it, or an exchange before this one has seen it.
        let mut records = self.history(None, None, None, HISTORY_LOOKED_AT).await?;
        let record = records.find(|record| record["id"] == call || record["call_id"] == call);
        Err(Failure::negative(match record {
            Some(record) => {
                let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
                let (from, to, started, how) = (text("from"), text("to"), text("started"), text("how"));
                format!(
                    "what passed in call {call} is not remembered any more; it was {from} -> {to} at {started}: {how}"
                )
            }
            None => format!(
                "nothing is known of a call {call}; `ringback calls ls` and `ringback calls history` have names and Call-IDs"
            ),
        }))
    }

    /// Calls that are over.
    pub(super) async fn history(
        &self,
        since: Option<u64>,
        until: Option<u64>,
        user: Option<String>,
        limit: u32,
    ) -> Result<Values, Failure> {
        let moment = |seconds: u64| UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        let (since, until) = (since.and_then(moment), until.and_then(moment));
        let query = Query { since, until, user, limit_max: limit as usize };
        let store = self.store().clone();
        let records = tokio::task::spawn_blocking(move || store.records(&query)).await;
        let records = records.map_err(|error| Failure::negative(format!("the records cannot be read: {error}")))??;
        Ok(Box::new(records.into_iter().map(|record| record_of(&record))))
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

fn record_of(record: &CallRecord) -> Value {
    let talked = record.answered.and_then(|answered| record.ended.duration_since(answered).ok());
    json!({
        "id": record.id.to_string(),
        "call_id": record.call_id,
        "from": record.from,
        "to": record.to,
        "caller": record.caller,
        "callee": record.callee,
        "source": record.source.to_string(),
        "started": rfc3339(record.started),
        "answered": record.answered.map(rfc3339),
        "ended": rfc3339(record.ended),
        "talked_s": talked.map_or(0, |talked| talked.as_secs()),
        "end": record.end.to_string(),
        "status": record.status,
        "how": record.how,
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
