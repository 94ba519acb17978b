use super::{Desk, Values, one};
use crate::exit::Failure;
use engine::Now;
use serde_json::{Value, json};
use sip_registrar::Binding;

impl Desk {
    pub(super) fn bindings(&self) -> Values {
        let now = Now::read_clocks();
        let all = self.store().bindings().all(now);
        Box::new(all.into_iter().map(move |(aor, binding)| described(now, aor.as_str(), &binding)))
    }

    pub(super) async fn remove_bindings(&self, aor: String, contact: Option<String>) -> Result<Values, Failure> {
        let store = self.store().clone();
        let unbind = move || store.unbind(Now::read_clocks(), &aor, contact.as_deref());
        match tokio::task::spawn_blocking(unbind).await.ok().flatten() {
            Some(removed) => one(json!({"removed": removed})),
            None => Err(Failure::negative(format!("nothing is removed: {}", self.store().health()))),
        }
    }
}

fn described(now: Now, aor: &str, binding: &Binding) -> Value {
    let flow = binding.flow();
    let mut value = json!({
        "aor": aor,
        "contact": binding.contact(),
        "transport": flow.transport.as_str().to_lowercase(),
        "received_from": flow.remote.to_string(),
        "expires_in_s": binding.expires_in_s(now),
        "q": f64::from(binding.q()) / 1000.0,
        "user_agent": binding.user_agent(),
    });
    if !binding.path().is_empty() {
        value["path"] = json!(binding.path());
    }
    value
}
