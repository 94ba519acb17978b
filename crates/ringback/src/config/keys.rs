//! Every key of the configuration, once: its name, its default, and what it is for.

/// A key, its default in TOML, and a sentence on it.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
    pub(crate) shape: Shape,
    /// What this build cannot do: the key is known, and any other value than its default is refused with these words.
    pub(crate) not_yet: Option<&'static str>,
}

/// What kind of value a key has, for the schema.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Text,
    Switch,
    Number,
    Texts,
    Numbers,
    /// A text, or a list of several.
    Words,
    Choice(&'static [&'static str]),
    /// Names that are not ours, each with words.
    Map,
    Table(&'static [Field]),
    Tables(&'static [Field]),
}

/// A key of a table.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) about: &'static str,
    pub(crate) needed: bool,
}

const fn field(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { name, shape, about, needed: false }
}

const fn needed(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { name, shape, about, needed: true }
}

/// The keys of a `[[user]]`.
pub(crate) const USER: &[Field] = &[
    needed("name", Shape::Text, "the user part of the address, and the name to log in with"),
    field("password", Shape::Text, "or ha1_md5 and ha1_sha256"),
    field("ha1_md5", Shape::Text, "the digest of name:realm:password"),
    field("ha1_sha256", Shape::Text, "the same with SHA-256"),
    field("domain", Shape::Text, "one of ours; all have the same accounts"),
    field("forward", Shape::Table(FORWARD), "where calls go instead: a user, a number or a SIP URI"),
    field("limits", Shape::Table(LIMITS), "what this user's calls may come to; what is not said is as in [limits]"),
];

/// The keys of a user's `limits = {}`.
pub(crate) const LIMITS: &[Field] = &[
    field("calls", Shape::Number, "calls out of the exchange at a time"),
    field("calls_per_hour", Shape::Number, "calls out of the exchange begun within an hour"),
    field("destinations", Shape::Words, "numbers that they may go to; [] is any"),
];

/// The keys of `forward = {}`.
pub(crate) const FORWARD: &[Field] = &[
    field("always", Shape::Text, "every call"),
    field("busy", Shape::Text, "when the user is busy"),
    field("no_answer", Shape::Text, "when nobody answers"),
    field("no_answer_after_s", Shape::Number, "how long it rings before that; 20 if not said"),
    field("not_registered", Shape::Text, "when no phone of the user's is there"),
];

/// The keys of a `[[trunk]]`.
pub(crate) const TRUNK: &[Field] = &[
    needed("name", Shape::Text, "what rules call it"),
    field("to", Shape::Words, "where it is: SIP URIs without a user, the best first"),
    field("from", Shape::Words, "addresses and networks that it sends from"),
    field("names", Shape::Words, "names of which its client certificate proves one (tls.client_ca)"),
    field("trust_identity", Shape::Switch, "whether it is told, and believed, who calls (RFC 3325); false if not said"),
];

/// The keys of a `[[route]]`.
pub(crate) const ROUTE: &[Field] = &[
    needed("do", Shape::Choice(DO), "what is done"),
    field("name", Shape::Text, "what it is called"),
    field("when", Shape::Table(WHEN), "conditions, all of which must hold; without any it takes everything"),
    field("to", Shape::Words, "users, numbers, URIs (with {user}, {host}, {from}), or the names of trunks"),
    field("strip", Shape::Number, "how many characters are taken off the front of the number"),
    field("prefix", Shape::Text, "what is then put in front of it"),
    field("ring_s", Shape::Number, "serial: how long each rings; 20 if not said"),
    field(
        "status",
        Shape::Number,
        "redirect: 300, 301, 302, 305 or 380, 302 if not said; reject: 400 to 699, 403 if not said",
    ),
    field("reason", Shape::Text, "reject: the words beside the status"),
    field("limit", Shape::Table(LIMIT), "how often it may fire; what is beyond is answered with 503"),
    field("open", Shape::Switch, "whether strangers may use it though it leads out of the exchange; false if not said"),
];

/// What a rule can do.
pub(crate) const DO: &[&str] = &["dial", "fork", "serial", "redirect", "reject", "trunk", "user", "stateless"];

/// The keys of `when = {}`.
pub(crate) const WHEN: &[Field] = &[
    field("method", Shape::Words, "INVITE, MESSAGE, .."),
    field("to", Shape::Words, "the number called, or user@host; * is anything, ? any character, \\* a star"),
    field("from", Shape::Words, "the number that says it calls, or user@host: a claim"),
    field("caller", Shape::Words, "which user has logged in; \"*\": any"),
    field("trunk", Shape::Words, "through which trunk it came; \"*\": any"),
    field("source", Shape::Words, "the address or network that it was sent from"),
    field("transport", Shape::Words, "udp, tcp, tls, ws, wss"),
    field("header", Shape::Map, "header fields, and what they look like"),
    field("days", Shape::Words, "\"mon-fri\", \"sun\", .. (proxy.timezone)"),
    field("time", Shape::Words, "\"08:00-18:00\"; \"22:00-06:00\" goes over midnight"),
    field("registered", Shape::Switch, "whether the user called has a phone that is there"),
];

/// The keys of `limit = {}`.
pub(crate) const LIMIT: &[Field] = &[
    needed("per_minute", Shape::Number, "how often in a minute"),
    field("burst", Shape::Number, "how often at once; what ten seconds bring if not said"),
];

const fn key(name: &'static str, default: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, default, about, shape, not_yet: None }
}

const fn later(name: &'static str, default: &'static str, shape: Shape, not_yet: &'static str) -> Key {
    Key { name, default, about: not_yet, shape, not_yet: Some(not_yet) }
}

const TURN: &str = "the TURN server is not there yet: leave the [turn] section out";

/// Every key, in the order in which they are shown. Lists of tables come last, as TOML wants it.
pub(crate) const KEYS: &[Key] = &[
    key("data", r#""ringback-data""#, Shape::Text, "the folder for everything that must not be forgotten"),
    key("domains", "[]", Shape::Texts, "what we are responsible for; empty: this machine's own names and addresses"),
    key("listen.udp", r#"["0.0.0.0:5060", "[::]:5060"]"#, Shape::Texts, "SIP over UDP; port 0 picks one, [] is off"),
    key(
        "listen.tcp",
        r#"["0.0.0.0:5060", "[::]:5060"]"#,
        Shape::Texts,
        "SIP over TCP; port 0 picks one, [] is off; where only one of udp and tcp is chosen, the other is the same",
    ),
    key(
        "listen.tls",
        r#"["0.0.0.0:5061", "[::]:5061"]"#,
        Shape::Texts,
        "SIP over TLS; [] is off, and so is this default where listen.udp or listen.tcp are chosen",
    ),
    key("listen.ws", "[]", Shape::Texts, "SIP over WebSocket, for a web server in front of us; [] is off"),
    key(
        "listen.wss",
        r#"["0.0.0.0:8089", "[::]:8089"]"#,
        Shape::Texts,
        "SIP over secure WebSocket; [] is off, and so is this default where listen.udp or listen.tcp are chosen",
    ),
    key(
        "listen.http",
        r#"["127.0.0.1:8088"]"#,
        Shape::Texts,
        "/metrics, /healthz and /readyz; [] is off, and so is this default where listen.udp or listen.tcp are chosen",
    ),
    key("listen.tls_only", "false", Shape::Switch, "whether udp, tcp and ws are off, whatever they say"),
    key(
        "tls.certificate",
        r#""""#,
        Shape::Text,
        "our certificate, a PEM file with its chain; empty: one of our own local CA",
    ),
    key("tls.key", r#""""#, Shape::Text, "the certificate's private key, a PEM file"),
    key(
        "tls.client_ca",
        r#""""#,
        Shape::Text,
        "a PEM file of CAs whose client certificates prove who a trunk is; empty: none",
    ),
    key(
        "tls.ca",
        r#""""#,
        Shape::Text,
        "a PEM file of CAs that we believe of servers which we connect to, besides the system's and our own",
    ),
    key(
        "auth.required",
        "true",
        Shape::Switch,
        "whether REGISTER, and requests from our users or to strangers, must authenticate",
    ),
    key("auth.realm", r#""ringback""#, Shape::Text, "what passwords are valid for; stored secrets are bound to it"),
    key(
        "auth.algorithms",
        r#"["MD5"]"#,
        Shape::Texts,
        "digest algorithms that are offered, the best first: \"SHA-256\", \"MD5\"",
    ),
    key("registrar.min_expires_s", "60", Shape::Number, "shorter registrations get 423"),
    key("registrar.max_expires_s", "7200", Shape::Number, "longer ones are shortened to this"),
    key("registrar.default_expires_s", "3600", Shape::Number, "for a REGISTER that names no time"),
    key(
        "registrar.service_route",
        "[]",
        Shape::Texts,
        "SIP URIs that phones are told to send their own requests through (Service-Route), the first hop first",
    ),
    key(
        "registrar.flow_timer_s",
        "0",
        Shape::Number,
        "within how many seconds phones with outbound are told to show signs of life; 0: they are told nothing",
    ),
    key(
        "proxy.mode",
        r#""stateful""#,
        Shape::Choice(&["stateful", "stateless", "redirect", "call-stateful"]),
        "how requests are forwarded; \"redirect\": not at all, callers are told where to; \"call-stateful\": we insist on staying in the path of every call",
    ),
    key("proxy.record_route", "true", Shape::Switch, "whether we stay in the path of the calls that we set up"),
    key(
        "proxy.recurse",
        "false",
        Shape::Switch,
        "whether we follow a 3xx ourselves instead of passing it to the caller",
    ),
    key("proxy.max_breadth", "60", Shape::Number, "branches that one request may have at a time (RFC 5393)"),
    key(
        "proxy.timezone",
        r#""""#,
        Shape::Text,
        "whose hours rules go by, such as \"Europe/Berlin\"; empty: this machine's",
    ),
    key("dns.servers", "[]", Shape::Texts, "resolvers to ask, addresses with or without a port; empty: the system's"),
    Key {
        name: "media.relay",
        default: r#""auto""#,
        about: "whether sound goes through us",
        shape: Shape::Choice(&["auto", "always", "never"]),
        not_yet: Some("there is no relay yet, sound goes from phone to phone: leave this at \"auto\""),
    },
    key("media.ports", "[10000, 29999]", Shape::Numbers, "the first and the last UDP port for sound"),
    later("stun.udp", "[]", Shape::Texts, "the STUN server is not there yet: leave this key out"),
    later("turn.enabled", "false", Shape::Switch, TURN),
    later("turn.secret", "[]", Shape::Texts, TURN),
    later("turn.ports", "[]", Shape::Numbers, TURN),
    later("turn.allow_peers", "[]", Shape::Texts, TURN),
    key(
        "store.url",
        r#""sqlite:ringback.db""#,
        Shape::Text,
        "what is remembered and where: sqlite:FILE, in the data folder",
    ),
    key("store.keep_records_days", "90", Shape::Number, "how long calls that are over can be looked up; 0: not at all"),
    key("guard.enabled", "true", Shape::Switch, "whether sources that flood, guess or scan are limited and banned"),
    key(
        "guard.allow",
        r#"["127.0.0.0/8", "::1"]"#,
        Shape::Texts,
        "addresses and networks that are never limited nor banned; trunks' addresses are so, too",
    ),
    key("guard.stranger_per_s", "50", Shape::Number, "messages a second from one address that has proved nothing"),
    key("guard.strangers_per_s", "20000", Shape::Number, "messages a second from all such addresses together"),
    key(
        "guard.failures",
        "20",
        Shape::Number,
        "offences (wrong passwords, unknown users, ..) within guard.window_s that get a ban",
    ),
    key("guard.window_s", "600", Shape::Number, "for how long an offence counts"),
    key(
        "guard.ban_s",
        "600",
        Shape::Number,
        "how long the first ban of an address lasts; each further one twice as long",
    ),
    key("guard.ban_max_s", "86400", Shape::Number, "the longest that a ban lasts"),
    key("limits.calls", "10", Shape::Number, "calls out of the exchange at a time, for each user"),
    key("limits.calls_per_hour", "200", Shape::Number, "calls out of the exchange begun within an hour, for each user"),
    key(
        "limits.destinations",
        "[]",
        Shape::Texts,
        "numbers that calls out of the exchange may go to, such as \"0049*\"; []: any",
    ),
    key("serve.drain_s", "30", Shape::Number, "how long calls under way are waited for after SIGTERM or SIGINT"),
    key("log.format", r#""text""#, Shape::Choice(&["text", "json"]), "how the log is written to standard error"),
    key("user", "[]", Shape::Tables(USER), "accounts: name, and password or ha1_md5 and ha1_sha256"),
    key("trunk", "[]", Shape::Tables(TRUNK), "carriers and other exchanges that calls go to and come from"),
    key("route", "[]", Shape::Tables(ROUTE), "dial rules, in order: the first whose `when` fits says what is done"),
];

/// The key of this name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether `name` is a section that keys are in.
pub(crate) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.split_once('.').is_some_and(|(section, _)| section == name))
}

/// What to say to somebody who typed `unknown`: the key that was probably meant, else those that are possible there.
pub(crate) fn suggest(unknown: &str) -> String {
    let names = KEYS.iter().map(|key| key.name);
    let last = |name: &'static str| name.rsplit('.').next().unwrap_or(name);
    let (section, word) = unknown.rsplit_once('.').unwrap_or(("", unknown));
    let distance = |name: &'static str| {
        let whole = strsim::damerau_levenshtein(unknown, name);
        // Right word, wrong section.
        whole.min(strsim::damerau_levenshtein(word, last(name)) + 1)
    };
    let sections = KEYS.iter().filter_map(|key| key.name.split_once('.')).map(|(section, _)| section);
    let nearest = names.clone().chain(sections.filter(|_| section.is_empty())).min_by_key(|name| distance(name));
    if let Some(name) = nearest.filter(|name| distance(name) <= (word.len() / 3).max(2)) {
        return format!("did you mean `{name}`?");
    }
    let prefix = format!("{section}.");
    let beside: Vec<&str> = names.filter_map(|name| name.strip_prefix(&prefix)).collect();
    if beside.is_empty() {
        "all keys are shown by `ringback config show`".to_owned()
    } else {
        format!("[{section}] has {}", beside.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{KEYS, suggest};

    #[test]
    fn the_nearest_key_is_suggested() {
        for (typed, meant) in [
            ("domians", "`domains`"),
            ("listen.udpp", "`listen.udp`"),
            ("auth.relm", "`auth.realm`"),
            ("realm", "`auth.realm`"),
            ("registrar.min_expires", "`registrar.min_expires_s`"),
            ("users", "`user`"),
            ("lisen", "`listen`"),
            ("registar", "`registrar`"),
            ("listen.bananas", "udp, tcp"),
            ("bananas", "ringback config show"),
        ] {
            assert!(suggest(typed).contains(meant), "{typed}: {}", suggest(typed));
        }
    }

    #[test]
    fn every_default_is_toml() {
        for key in KEYS {
            assert!(toml::de::DeValue::parse(key.default).is_ok(), "{}", key.name);
        }
    }
}
