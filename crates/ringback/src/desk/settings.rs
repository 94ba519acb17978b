use crate::config::{self, Config};
use engine::Now;
use server::{Domains, Keys};
use store::StoredRoute;

/// What an exchange goes by, and what it is called.
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// The domains, or the machine's names where there are none.
    pub(crate) names: Vec<String>,
    pub(crate) keys: Keys,
}

impl Settings {
    /// The configuration of the shards, whose rules end with `routes`; with what is wrong with those, which are then left out.
    pub(crate) fn server(&self, routes: &[StoredRoute]) -> (server::Config, Vec<String>) {
        let config = &self.config;
        let (mut more, mut doubts) = (Vec::new(), Vec::new());
        for route in routes {
            match config::read_route(&route.name, &route.toml, config.rules.trunks().as_slice()) {
                Ok(rule) => more.push(rule),
                Err(text) => doubts.push(format!("the stored route {} is left out: {text}", route.name)),
            }
        }
        let rules = config.rules.clone().followed_by(more);
        let domains =
            Domains::new(&self.names, Vec::new()).expect("each is a host, which the configuration has checked");
        let server = server::Config {
            auth_required: config.auth.required,
            realm: config.auth.realm.clone(),
            algorithms: config.auth.algorithms.clone(),
            registrar: sip_registrar::Config {
                min_expires_s: config.registrar.min_expires_s,
                max_expires_s: config.registrar.max_expires_s,
                default_expires_s: config.registrar.default_expires_s,
                service_route: config.registrar.service_route.clone(),
                flow_timer_s: config.registrar.flow_timer_s,
                ..sip_registrar::Config::default()
            },
            record_route: config.proxy.record_route,
            mode: config.proxy.mode,
            recurse: config.proxy.recurse,
            max_breadth: config.proxy.max_breadth,
            limits: config.limits.clone(),
            ..server::Config::new(domains, self.keys).with_rules(rules, Now::read_clocks())
        };
        (server, doubts)
    }
}
