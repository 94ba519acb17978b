use super::{Config, ConfigFile, Problem};
use engine::Rng;
use server::Mode;
use sip_message::Transport;
use std::path::Path;

pub(super) fn read(text: &str) -> Result<Config, Vec<Problem>> {
    let mut file = ConfigFile::new();
    file.add_text("ringback.toml", text);
    Config::read(file, &mut Rng::from_u64(1)).map(|(config, _)| config)
}

/// What is said about a configuration with one thing wrong.
pub(super) fn wrong(text: &str) -> String {
    let problems = read(text).expect_err("it is wrong");
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

#[test]
fn nothing_typed_is_good() {
    let config = read("").unwrap();
    assert_eq!(config.data, Path::new("ringback-data"));
    assert_eq!(config.listen.udp, ["0.0.0.0:5060".parse().unwrap(), "[::]:5060".parse().unwrap()]);
    assert!(config.auth.required && config.proxy.record_route && config.domains.is_empty() && config.users.is_empty());
    assert!(
        read("[[user]]\nname = \"a\"\npassword = \"x\"\ndomain = \"localhost\"").is_ok(),
        "one of the machine's names"
    );
    assert!(!config.listen.chosen);
    assert_eq!(config.listen.optional, [Transport::Tls, Transport::Wss]);
    assert_eq!((config.listen.tls[0].port(), config.listen.wss[1].port(), config.listen.ws.len()), (5061, 8089, 0));
    assert!(config.rules.as_slice().is_empty() && config.rules.trunks().as_slice().is_empty());
    assert!(config.tls.files.is_none() && config.tls.client_ca.is_none() && config.dns_servers.is_empty());
    assert_eq!((config.proxy.mode, config.proxy.recurse, config.proxy.max_breadth), (Mode::Stateful, false, 60));
    assert_eq!((config.registrar.min_expires_s, config.registrar.max_expires_s), (60, 7200));
    assert_eq!((config.auth.realm.as_str(), config.registrar.default_expires_s), ("ringback", 3600));
}

#[test]
fn everything_typed_arrives() {
    let config = read(
        r#"
        data = "/tmp/d"
        domains = ["example.org", "10.0.0.1", "2001:db8::1"]
        [listen]
        udp = ["127.0.0.1:0"]
        tcp = []
        tls = ["127.0.0.1:0"]
        ws = ["127.0.0.1:8088"]
        [auth]
        required = false
        realm = "r"
        algorithms = ["sha-256", "MD5"]
        [registrar]
        min_expires_s = 1
        max_expires_s = 10
        default_expires_s = 5
        [proxy]
        mode = "call-stateful"
        record_route = false
        recurse = true
        max_breadth = 30
        timezone = "Europe/Berlin"
        [tls]
        certificate = "c.pem"
        key = "k.pem"
        client_ca = "ca.pem"
        [dns]
        servers = ["192.0.2.53", "[2001:db8::1]:5353"]
        [media]
        ports = [20000, 20100]
        [stun]
        udp = []
        [[user]]
        name = "alice"
        domain = "Example.org"
        password = "secret"
        [[user]]
        name = "bob"
        ha1_md5 = "0123456789abcdef0123456789abcdef"
        ha1_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
        "#,
    )
    .unwrap();
    assert_eq!(config.domains, ["example.org", "10.0.0.1", "[2001:db8::1]"]);
    assert_eq!((config.listen.udp.len(), config.listen.tcp.len(), config.listen.chosen), (1, 0, true));
    assert!(!config.auth.required && !config.proxy.record_route);
    assert_eq!(config.auth.algorithms, [sip_auth::Algorithm::Sha256, sip_auth::Algorithm::Md5]);
    assert_eq!((config.listen.tls.len(), config.listen.ws.len(), config.listen.optional.len()), (1, 1, 1));
    assert_eq!((config.proxy.mode, config.proxy.recurse, config.proxy.max_breadth), (Mode::CallStateful, true, 30));
    assert_eq!(config.rules.zone().name(), "Europe/Berlin");
    assert_eq!(config.tls.files, Some(("c.pem".into(), "k.pem".into())));
    assert_eq!(config.tls.client_ca, Some("ca.pem".into()));
    assert_eq!(config.dns_servers, ["192.0.2.53:53".parse().unwrap(), "[2001:db8::1]:5353".parse().unwrap()]);
    assert_eq!(config.registrar.default_expires_s, 5);
    assert_eq!(config.users[0].secrets, sip_auth::Secrets::new("alice", "r", "secret"));
    assert_eq!((config.users[1].secrets.md5[1], config.users[1].secrets.sha256[31]), (0x23, 0xef));
}

#[test]
fn an_unknown_key_shows_its_line_and_the_key_that_was_meant() {
    assert_eq!(
        wrong("data = \"d\"\ndomians = [\"a.b\"]\n"),
        "unknown key `domians`\n --> ringback.toml:2:1\n  |\n2 | domians = [\"a.b\"]\n  | ^^^^^^^ did you mean `domains`?"
    );
    let said = wrong("[listen]\nudpp = []\n");
    assert!(said.contains("2 | udpp = []\n  | ^^^^ did you mean `listen.udp`?"), "{said}");
    assert!(wrong("[[user]]\nname = \"a\"\npasword = \"x\"\npassword = \"y\"").contains("did you mean `password`?"));
    let said = wrong("[[user]]\nname = \"a\"\npasword = \"x\"");
    assert!(said.contains("did you mean `password`?") && !said.contains("no password"), "{said}");
    assert!(wrong("[listn]\nudp = []\n").contains("1 | [listn]\n  |  ^^^^^"));
}

#[test]
fn wrong_values_show_their_line() {
    for (text, line, said) in [
        ("x = = 1", "1 | x = = 1", "not TOML"),
        ("data = \"a\"\ndata = \"b\"", "2 | data", "duplicate key"),
        ("\n[listen]\nudp = [\"127.0.0.1\"]", "3 | udp = [\"127.0.0.1\"]\n  |        ^^^^^^^^^^^", "\"0.0.0.0:5060\""),
        ("[listen]\nudp = \"127.0.0.1:1\"", "2 | udp", "a list in [ ] is needed here, this is a text"),
        ("[listen]\nudp = [5060]", "2 | udp", "this is a number"),
        ("[listen]\nudp = [\"[::1]:1\", \"[::1]:1\"]", "2 | udp", "has [::1]:1 twice"),
        ("[listen]\nudp = []\ntls = []\nwss = []\ntcp = []", "5 | tcp", "no address to listen on"),
        ("listen = 5", "1 | listen = 5", "write [listen]"),
        ("[auth]\nrequired = \"yes\"", "2 | required", "true or false is needed here, this is a text"),
        ("[auth]\nrealm = \"a\\\"b\"", "2 | realm", "cannot be a realm"),
        ("[auth]\nalgorithms = [\"MD6\"]", "2 | algorithms", "\"MD6\" is no digest algorithm of ours"),
        ("[auth]\nalgorithms = []", "2 | algorithms", "no digest algorithm is left"),
        ("domains = [\"a.b:5060\"]", "1 | domains", "without a port"),
        ("domains = [\"sip:a.b\"]", "1 | domains", "is no domain"),
        ("domains = [\"\"]", "1 | domains", "is no domain"),
        (
            "[registrar]\nmin_expires_s = 8000",
            "2 | min_expires_s",
            "(8000) is more than registrar.default_expires_s (3600)",
        ),
        ("[registrar]\nmax_expires_s = 30", "2 | max_expires_s", "is more than registrar.max_expires_s (30)"),
        ("[registrar]\nmin_expires_s = 0", "2 | min_expires_s", "from 1 to 2592000"),
        ("[registrar]\nmin_expires_s = 1.5", "2 | min_expires_s", "this is a fraction"),
        ("[media]\nports = [20000, 10000]", "2 | ports", "begins with 20000 and ends with 10000"),
        ("[media]\nports = [1, 2, 3]", "2 | ports", "needs two ports"),
        ("[media]\nports = [1, 65536]", "2 | ports", "from 1 to 65535"),
        ("[proxy]\nmode = \"transparent\"", "2 | mode", "stateful, stateless, redirect, call-stateful"),
        ("[proxy]\nmax_breadth = 0", "2 | max_breadth", "from 1 to 1000"),
        ("[proxy]\ntimezone = \"Berlin\"", "2 | timezone", "such as \"Europe/Berlin\""),
        ("[dns]\nservers = [\"ns.example.org\"]", "2 | servers", "an IP address, with or without a port"),
        ("[tls]\ncertificate = \"a.pem\"", "2 | certificate", "add tls.key"),
        ("[tls]\nkey = \"a.pem\"", "2 | key", "add tls.certificate"),
        ("[listen]\nhttp = [\"localhost\"]", "2 | http", "which is no address to listen on"),
        ("[listen]\ntls = []\nwss = []\ntls_only = true", "4 | tls_only", "give listen.tls or listen.wss an address"),
        ("[turn]\nenabled = true", "2 | enabled", "the TURN server is not there yet"),
        ("[store]\nurl = \"postgres://db\"", "2 | url", "only \"sqlite:FILE\" is there yet"),
        ("[store]\nurl = \"ringback.db\"", "2 | url", "\"sqlite:\" and a file"),
        ("[store]\nurl = \"sqlite:\"", "2 | url", "\"sqlite:\" and a file"),
        ("[store]\nkeep_records_days = 40000", "2 | keep_records_days", "from 0 to 36500"),
        ("[guard]\nallow = [\"10.0.0.1/8\"]", "2 | allow", "the first address of the network"),
        ("[guard]\nfailurs = 3", "2 | failurs", "did you mean `guard.failures`?"),
        ("[guard]\nstranger_per_s = 0", "2 | stranger_per_s", "from 1 to 10000000"),
        ("[guard]\nban_max_s = 60", "2 | ban_max_s", "guard.ban_s (600) is more than guard.ban_max_s (60)"),
        ("[limits]\ncalls = -1", "2 | calls", "from 0 to 100000"),
        ("[limits]\ndestinations = [\"tel:1\"]", "2 | destinations", "without the scheme in front"),
        ("[limits]\ndestination = []", "2 | destination", "did you mean `limits.destinations`?"),
        ("[serve]\ndrain_s = 90000", "2 | drain_s", "from 0 to 86400"),
        ("[log]\nformat = \"xml\"", "2 | format", "there are text, json"),
        ("[[user]]\nname = \"a\"\npassword = \"x\"\nlimits = { call = 1 }", "4 | limits", "did you mean `calls`?"),
        ("[[user]]\nname = \"a b\"\npassword = \"x\"", "2 | name", "cannot be a user's name"),
        ("[[user]]\nname = \"a\"", "2 | name", "has no password"),
        ("[[user]]\npassword = \"a\"", "1 | [[user]]", "has no name"),
        ("[[user]]\nname = \"a\"\npassword = \"\"", "3 | password", "empty password"),
        ("[[user]]\nname = \"a\"\nha1_md5 = \"12\"", "3 | ha1_md5", "32 hexadecimal digits"),
        (
            "[[user]]\nname = \"a\"\nha1_sha256 = \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF\"",
            "2 | name",
            "has no ha1_md5, and auth.algorithms has MD5",
        ),
        ("[[user]]\nname = \"a\"\npassword = \"x\"\ndomain = \"d\"", "4 | domain", "not one of our domains"),
        ("user = [{name = \"a\", password = \"x\"}, {name = \"a\", password = \"y\"}]", "1 | user", "is there twice"),
    ] {
        let shown = wrong(text);
        assert!(shown.contains(line) && shown.contains(said) && shown.contains('^'), "{text}\n{shown}");
    }
}

#[test]
fn everything_wrong_is_said_at_once_in_its_order() {
    let problems = read("domians = []\n[auth]\nrequired = 5\n[nat]\n").unwrap_err();
    let whats: Vec<&str> = problems.iter().map(|problem| problem.what.as_str()).collect();
    assert_eq!(whats, ["unknown key `domians`", "wrong type for `auth.required`", "unknown key `nat`"]);
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file() {
    let mut file = ConfigFile::new();
    file.add_text(
        "f",
        "data = \"file\"\ndomains = [\"file\"]\n[auth]\nrealm = \"file\"\n[proxy]\nrecord_route = false",
    );
    let variables = [
        ("RINGBACK_DATA", "environment"),
        ("RINGBACK_DOMAINS", "environment"),
        ("RINGBACK_LISTEN__UDP", "127.0.0.1:1, 127.0.0.1:2"),
        ("RINGBACK_REGISTRAR__MIN_EXPIRES_S", "30"),
        ("RINGBACK_PORT", "tcp://1.2.3.4"),
        ("PATH", "/bin"),
    ];
    file.add_environment(variables.into_iter().map(|(name, text)| (name.into(), text.into())));
    file.add_setting("domains=[\"flag\"]");
    file.add_setting("auth.algorithms=SHA-256");
    file.add_setting("auth.realm=2024-01-01");
    file.add_setting("user=[{name=\"a\",password=\"x\"}]");
    file.add_flag("data", "--data", "flag");
    let (config, _) = Config::read(file, &mut Rng::from_u64(1)).unwrap();
    assert_eq!((config.data.as_path(), &config.domains[..]), (Path::new("flag"), &["flag".to_owned()][..]));
    assert_eq!((config.listen.udp.len(), config.registrar.min_expires_s), (2, 30));
    assert_eq!((config.auth.realm.as_str(), config.auth.algorithms.len()), ("2024-01-01", 1));
    assert!(!config.proxy.record_route && config.users.len() == 1);
}

#[test]
fn what_is_wrong_on_the_command_line_is_shown_there() {
    let mut file = ConfigFile::new();
    file.add_setting("listen.udp=nonsense");
    file.add_setting("auth.relm=x");
    file.add_setting("data");
    file.add_environment([("RINGBACK_AUTH__REQUIRED".to_owned(), "perhaps".to_owned())].into_iter());
    file.add_environment([("RINGBACK_AUTH__REQIRED".to_owned(), "true".to_owned())].into_iter());
    let problems = Config::read(file, &mut Rng::from_u64(1)).unwrap_err();
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let shown = shown.join("\n");
    for said in [
        "1 | listen.udp=nonsense\n  |            ^^^^^^^^ an IP address and a port",
        "1 | auth.relm=x\n  | ^^^^^^^^^ did you mean `auth.realm`?",
        "1 | data\n  | ^^^^ --set KEY=VALUE is needed",
        "1 | RINGBACK_AUTH__REQUIRED=perhaps\n  |                         ^^^^^^^ true or false is needed here",
        "did you mean `auth.required`?",
    ] {
        assert!(shown.contains(said), "{said}\nis not in\n{shown}");
    }
}

#[test]
fn what_phones_are_told_when_they_register() {
    let config =
        read("[registrar]\nservice_route = [\"sip:a.example;lr\", \"sips:b.example\"]\nflow_timer_s = 120").unwrap();
    assert_eq!(config.registrar.service_route.as_deref(), Some("<sip:a.example;lr>, <sips:b.example;lr>"));
    assert_eq!(config.registrar.flow_timer_s, Some(120));
    let config = read("").unwrap();
    assert_eq!((config.registrar.service_route, config.registrar.flow_timer_s), (None, None));
    for route in ["tel:1", "edge", "sip:a.example?x=y"] {
        let said = wrong(&format!("[registrar]\nservice_route = [\"{route}\"]"));
        assert!(said.contains("such as \"sip:edge.example.org;lr\""), "{said}");
    }
}
