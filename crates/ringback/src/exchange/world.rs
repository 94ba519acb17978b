use engine::Now;
use net::{Backend, Later};
use server::{Answer, Ask, Server};
use store::{Accounts, Bindings};

/// What the exchange's shards ask for is in memory, so that each is answered at once.
#[derive(Clone)]
pub(super) struct World {
    pub(super) accounts: Accounts,
    pub(super) bindings: Bindings,
}

impl Backend<Server> for World {
    fn handle_ask(&mut self, now: Now, ask: Ask, _later: &Later<Answer>) -> Option<Answer> {
        match ask {
            Ask::Credentials { ticket, user } => {
                Some(Answer::Credentials { ticket, secrets: self.accounts.secrets(&user) })
            }
            Ask::Bindings { id, aor } => Some(Answer::Bindings { id, snapshot: self.bindings.fetch(now, &aor) }),
            Ask::Registrar(ask) => Some(Answer::Registrar(self.bindings.answer(now, ask))),
            // net looks names up itself.
            Ask::Resolve { ticket, .. } => Some(Answer::Resolved { ticket, flows: Vec::new() }),
        }
    }
}
