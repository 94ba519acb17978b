//! The floors of the design, as code: a crate may only depend on crates of floors below its own, and some doors stay shut.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, PackageId};

/// Every crate and its floor. Arrows point strictly down.
const FLOORS: [(&str, Floor); 22] = [
    ("engine", Floor::Ground),
    ("sip-message", Floor::Wire),
    ("sdp", Floor::Wire),
    ("rtp", Floor::Wire),
    ("sip-transaction", Floor::Engine),
    ("sip-auth", Floor::Engine),
    ("guard", Floor::Engine),
    ("sip-proxy", Floor::Role),
    ("sip-registrar", Floor::Role),
    ("sip-ua", Floor::Role),
    ("routing", Floor::Role),
    ("calls", Floor::Joiner),
    ("media", Floor::Joiner),
    ("server", Floor::Whole),
    ("phone", Floor::Whole),
    ("store", Floor::Shell),
    ("net", Floor::Shell),
    ("load", Floor::Tool),
    ("ringback", Floor::Product),
    ("simnet", Floor::Beside),
    ("xtask", Floor::Beside),
    ("bench", Floor::Beside),
];

/// From the ground up; the purity line runs between `Whole` and `Shell`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Floor {
    Ground,
    Wire,
    Engine,
    Role,
    Joiner,
    Whole,
    Shell,
    Tool,
    Product,
    /// For tests and for us: nothing depends on these, except in its tests.
    Beside,
}

/// Doors that stay shut over any number of steps: who may not reach whom, and what that buys.
const SHUT: [(&str, &[&str], &str); 6] = [
    ("sip-proxy", &["sip-ua"], "a proxy that cannot see a dialog cannot keep call state by accident"),
    ("sip-transaction", &["sdp", "rtp", "media"], "SIP carries bodies as opaque bytes"),
    ("sip-auth", &["sdp", "rtp", "media"], "SIP carries bodies as opaque bytes"),
    ("sip-proxy", &["sdp", "rtp", "media"], "SIP carries bodies as opaque bytes"),
    ("sip-registrar", &["sdp", "rtp", "media"], "SIP carries bodies as opaque bytes"),
    ("sip-ua", &["sdp", "rtp", "media"], "SIP carries bodies as opaque bytes"),
];

/// What would bring the world below the purity line: sockets, clocks, chance, tasks.
const IMPURE: [&str; 14] = [
    "tokio",
    "socket2",
    "getrandom",
    "libc",
    "mio",
    "rustix",
    "nix",
    "if-addrs",
    "rand",
    "async-std",
    "smol",
    "rusqlite",
    "chrono",
    "time",
];

/// Looks at the processor's features and nothing else; on some of them it asks libc.
const PURE_ENOUGH: &str = "cpufeatures";

/// Everything in the workspace's dependencies that breaks the design, in words.
pub(crate) fn problems(metadata: &Metadata) -> Vec<String> {
    let graph = Graph::new(metadata);
    let floors: BTreeMap<&str, Floor> = FLOORS.into();
    let mut problems = Vec::new();
    for (name, dependencies) in &graph.own {
        let Some(floor) = floors.get(name) else {
            problems.push(format!("{name} has no floor: give it one in xtask/src/floors.rs"));
            continue;
        };
        for dependency in dependencies {
            if floors.get(dependency).is_some_and(|below| below >= floor) {
                problems.push(format!("{name} depends on {dependency}, which is not below it"));
            }
        }
        let reach = graph.reach(name);
        if *floor <= Floor::Whole {
            for impure in IMPURE.iter().filter(|impure| reach.contains(**impure)) {
                problems.push(format!("{name} is below the purity line and reaches {impure}"));
            }
        }
        for (_, shut, why) in SHUT.iter().filter(|(from, ..)| from == name) {
            for door in shut.iter().filter(|door| reach.contains(**door)) {
                problems.push(format!("{name} reaches {door}: {why}"));
            }
        }
    }
    problems
}

/// Names of crates and what they need outside their tests.
struct Graph<'a> {
    /// The workspace's own crates and their dependencies among themselves and outside.
    own: BTreeMap<&'a str, BTreeSet<&'a str>>,
    all: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Metadata) -> Self {
        let names: BTreeMap<&PackageId, &str> =
            metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
        let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
            let needed =
                node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
            let needed = needed.filter_map(|dep| names.get(&dep.pkg).copied());
            if let Some(name) = names.get(&node.id) {
                all.entry(name).or_default().extend(needed);
            }
        }
        let members = metadata.workspace_members.iter().filter_map(|id| names.get(id).copied());
        let own = members.map(|name| (name, all.get(name).cloned().unwrap_or_default())).collect();
        Self { own, all }
    }

    /// Everything `name` needs, over any number of steps.
    fn reach(&self, name: &str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&str> = self.all.get(name).into_iter().flatten().copied().collect();
        while let Some(crate_name) = next.pop() {
            if crate_name != PURE_ENOUGH && reached.insert(crate_name) {
                next.extend(self.all.get(crate_name).into_iter().flatten().copied());
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_point_down_and_the_shut_doors_are_shut() {
        let problems = problems(crate::cargo::metadata().unwrap());
        assert!(problems.is_empty(), "{problems:#?}");
    }

    /// Turns the real graph upside down in one place and expects to be told.
    #[test]
    fn an_arrow_that_points_up_is_found() {
        let text = serde_json::to_string(crate::cargo::metadata().unwrap()).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let id = |name: &str| {
            let metadata = crate::cargo::metadata().unwrap();
            metadata.packages.iter().find(|package| package.name.as_str() == name).unwrap().id.repr.clone()
        };
        let (proxy, phone) = (id("sip-proxy"), id("net"));
        for node in value["resolve"]["nodes"].as_array_mut().unwrap() {
            if node["id"] == proxy.as_str() {
                let dep =
                    serde_json::json!({"name": "net", "pkg": phone, "dep_kinds": [{"kind": null, "target": null}]});
                node["deps"].as_array_mut().unwrap().push(dep);
            }
        }
        let broken: Metadata = serde_json::from_value(value).unwrap();
        let found = problems(&broken);
        assert!(found.iter().any(|problem| problem.contains("sip-proxy depends on net")), "{found:#?}");
        assert!(found.iter().any(|problem| problem.contains("reaches libc")), "{found:#?}");
    }
}
