//! What is listened on, who is let in, and what their calls may come to.

use super::tests::read;
use super::{LogFormat, Store};
use routing::Limits;
use std::time::Duration;

#[test]
fn what_is_listened_on() {
    let open = |text: &str| {
        let listen = read(text).unwrap().listen;
        let all = [&listen.udp, &listen.tcp, &listen.tls, &listen.ws, &listen.wss, &listen.http];
        (all.map(Vec::len), listen.http_optional, listen.optional.len())
    };
    for (text, expected) in [
        ("", ([2, 2, 2, 0, 2, 1], true, 2)),
        ("[listen]\nudp = [\"127.0.0.1:0\"]", ([1, 1, 0, 0, 0, 0], true, 2)),
        ("[listen]\nudp = [\"127.0.0.1:0\"]\nhttp = [\"127.0.0.1:0\"]", ([1, 1, 0, 0, 0, 1], false, 2)),
        ("[listen]\nhttp = []", ([2, 2, 2, 0, 2, 0], false, 2)),
        ("[listen]\ntls_only = true\nws = [\"127.0.0.1:0\"]", ([0, 0, 2, 0, 2, 1], true, 0)),
        ("[listen]\ntls_only = true\ntls = [\"127.0.0.1:0\"]\nudp = [\"127.0.0.1:0\"]", ([0, 0, 1, 0, 2, 0], true, 0)),
    ] {
        assert_eq!(open(text), expected, "{text}");
    }
}

#[test]
fn doors_have_defaults_and_everything_typed_arrives() {
    let config = read("").unwrap();
    assert_eq!(config.store, Store { url: "sqlite:ringback.db".into(), keep_records_days: 90 });
    assert!(config.guard.enabled && config.guard.allow[0].contains("127.0.0.7".parse().unwrap()));
    assert_eq!(config.limits, Limits::default(), "routing's default is ours");
    assert_eq!((config.drain, config.log), (Duration::from_secs(30), LogFormat::Text));
    let config = read(
        r#"
        [store]
        url = "sqlite:/var/lib/ringback/state.db"
        keep_records_days = 0
        [guard]
        enabled = false
        allow = ["10.0.0.0/8"]
        stranger_per_s = 1
        strangers_per_s = 2
        failures = 3
        window_s = 4
        ban_s = 5
        ban_max_s = 6
        [limits]
        calls = 2
        destinations = ["0049*", "*@sbc.example"]
        [serve]
        drain_s = 0
        [log]
        format = "json"
        [[user]]
        name = "anna"
        password = "x"
        limits = { calls = 0, destinations = [] }
        [[user]]
        name = "eva"
        password = "x"
        "#,
    )
    .unwrap();
    assert_eq!((config.store.url.as_str(), config.store.keep_records_days), ("sqlite:/var/lib/ringback/state.db", 0));
    let guard = &config.guard;
    assert_eq!((guard.enabled, guard.stranger_per_s, guard.strangers_per_s, guard.failures), (false, 1, 2, 3));
    assert_eq!([guard.window, guard.ban, guard.ban_max].map(|time| time.as_secs()), [4, 5, 6]);
    assert_eq!((config.limits.calls, config.limits.calls_per_hour), (2, 200));
    assert_eq!(
        config.limits.destinations.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["0049*", "*@sbc.example"]
    );
    let own = Limits { calls: 0, calls_per_hour: 200, destinations: Vec::new() };
    assert_eq!((config.users[0].limits.as_ref(), &config.users[1].limits), (Some(&own), &None));
    assert_eq!((config.drain, config.log), (Duration::ZERO, LogFormat::Json));
}
