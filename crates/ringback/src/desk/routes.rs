use super::{Desk, Values, done};
use crate::config;
use crate::exit::Failure;
use routing::Rule;
use serde_json::{Value, json};
use store::{StoredRoute, Write};

impl Desk {
    pub(super) fn list_routes(&self) -> Values {
        let settings = self.settings();
        let routes = self.store().routes();
        let before = settings.config.rules.as_slice().len();
        let described = |(at, route): (usize, &StoredRoute)| {
            let rule = config::read_route(&route.name, &route.toml, settings.config.rules.trunks().as_slice());
            match rule {
                Ok(rule) => {
                    let rule = Rule { number: before + at + 1, ..rule };
                    json!({"route": route.name, "words": rule.to_string(), "toml": route.toml})
                }
                Err(wrong) => json!({"route": route.name, "wrong": wrong, "toml": route.toml}),
            }
        };
        let all: Vec<Value> = routes.iter().enumerate().map(described).collect();
        Box::new(all.into_iter())
    }

    pub(super) async fn add_route(&self, name: String, toml: String) -> Result<Values, Failure> {
        let settings = self.settings();
        config::read_route(&name, &toml, settings.config.rules.trunks().as_slice()).map_err(Failure::usage)?;
        self.write(Write::PutRoute(Box::new(StoredRoute { name, toml }))).await?;
        self.tell_shards().await;
        done()
    }

    pub(super) async fn remove_route(&self, name: String) -> Result<Values, Failure> {
        if !self.write(Write::RemoveRoute(name.clone())).await? {
            return Err(Failure::negative(format!(
                "there is no stored route {name}; `ringback route ls` has those that are"
            )));
        }
        self.tell_shards().await;
        done()
    }
}
