use crate::{AccountId, Event, Failure, Output, Phone, Reply, RequestNumber};
use bytes::Bytes;
use engine::Now;
use sip_message::{Message, Method};
use sip_ua::{Body, Plain};

impl Phone {
    pub(crate) fn options(&mut self, now: Now, number: RequestNumber, uri: &str, account: Option<AccountId>) {
        self.request(now, number, Method::Options, uri, account, None);
    }

    pub(crate) fn message(
        &mut self,
        now: Now,
        number: RequestNumber,
        uri: &str,
        account: Option<AccountId>,
        text: String,
    ) {
        let body = Body { content_type: "text/plain;charset=UTF-8".to_owned(), bytes: Bytes::from(text) };
        self.request(now, number, Method::Message, uri, account, Some(body));
    }

    fn request(
        &mut self,
        now: Now,
        number: RequestNumber,
        method: Method,
        uri: &str,
        account: Option<AccountId>,
        body: Option<Body>,
    ) {
        let Some(to) = self.address(uri, account) else {
            return self
                .outputs
                .push_back(Output::Event(Event::Replied { request: number, outcome: Err(Failure::NotFound) }));
        };
        let plain = Plain { method, uri: to.uri, identity: to.identity, route: to.route, body };
        let id = self.agent.request(now, &mut self.layer, plain);
        self.requests.insert(id, number);
    }

    pub(crate) fn replied(&mut self, id: sip_ua::RequestId, outcome: Result<Message, Failure>) {
        let Some(request) = self.requests.remove(&id) else { return };
        let outcome = outcome.map(|message| Reply::of(&message));
        self.outputs.push_back(Output::Event(Event::Replied { request, outcome }));
    }
}
