//! What operators want of the exchange ([`Command`]), done. Behind the control socket while it runs, and by the command itself, on the
//! same data, when it does not.

mod calls;
mod registrations;

use crate::control::Command;
use crate::exchange::World;
use crate::exit::Failure;
use net::Orders;
use serde_json::{Value, json};

/// What a command gives, made as it is taken.
pub(crate) type Values = Box<dyn Iterator<Item = Value> + Send>;

/// Who does it. A clone is another handle to the same.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) world: World,
    /// The way into the shards of the exchange; `None` where none runs.
    pub(crate) orders: Option<Orders>,
}

impl Desk {
    /// Does it, and says what it gives or why not.
    pub(crate) async fn answer(&self, command: Command) -> Result<Values, Failure> {
        match command {
            Command::RegLs {} => Ok(self.bindings()),
            Command::RegRm { aor, contact } => self.remove_bindings(aor, contact).await,
            Command::CallsLs {} => self.list_calls().await,
            Command::CallsShow { call } => self.show_call(call).await,
            Command::CallsHangup { id } => self.hang_up(id).await,
            Command::UserRefresh {} => one(json!({"refreshed": self.world.refresh_accounts().is_ok()})),
            Command::UserConfigured { name } => one(json!({"configured": self.world.is_configured(&name)})),
            _ => Err(Failure::usage("that is not there yet")),
        }
    }

    fn orders(&self) -> Result<&Orders, Failure> {
        self.orders.as_ref().ok_or_else(|| Failure::negative("no exchange runs on this data"))
    }
}

/// One value.
fn one(value: Value) -> Result<Values, Failure> {
    Ok(Box::new(std::iter::once(value)))
}
