//! What whoever runs the exchange may want of it.

use crate::{Event, Order, Output, Report, Server};
use calls::{CallSummary, Calls};
use engine::Now;

impl Server {
    pub(crate) fn obey_order(&mut self, now: Now, order: Order) {
        match order {
            Order::Calls { ticket } => {
                let calls = self.calls.iter().flat_map(Calls::list).map(CallSummary::of).collect();
                self.report(ticket, Report::Calls(calls));
            }
            Order::Count { ticket } => {
                let count = self.calls.as_ref().map_or(0, Calls::len);
                self.report(ticket, Report::Counted(count));
            }
            Order::HangUp { ticket, id, reason } => {
                let known = self.hang_up(now, id, &reason);
                self.report(ticket, Report::HungUp(known));
            }
            Order::Show { ticket, call } => {
                let story = self.calls.as_ref().and_then(|calls| calls.story(now, &call));
                self.report(ticket, Report::Story(story.map(Box::new)));
            }
            Order::Drain(draining) => self.draining = draining,
            Order::Configure(config) => self.configure(*config),
        }
    }

    fn report(&mut self, ticket: u64, report: Report) {
        self.outputs.push_back(Output::Event(Event::Report { ticket, report }));
    }
}
