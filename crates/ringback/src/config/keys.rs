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
    Choice(&'static [&'static str]),
    Tables,
}

/// The keys of a `[[user]]`.
pub(crate) const USER_KEYS: [&str; 5] = ["name", "password", "ha1_md5", "ha1_sha256", "domain"];

const fn key(name: &'static str, default: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, default, about, shape, not_yet: None }
}

const fn later(name: &'static str, default: &'static str, shape: Shape, not_yet: &'static str) -> Key {
    Key { name, default, about: not_yet, shape, not_yet: Some(not_yet) }
}

const TLS: &str = "TLS is not there yet: leave this key out, and use listen.udp and listen.tcp";
const WEB: &str = "WebSocket and the web page are not there yet: leave this key out, and use listen.udp and listen.tcp";
const TURN: &str = "the TURN server is not there yet: leave the [turn] section out";

/// Every key, in the order in which they are shown. Lists of tables come last, as TOML wants it.
pub(crate) const KEYS: &[Key] = &[
    key("data", r#""ringback-data""#, Shape::Text, "the folder for everything that must not be forgotten"),
    key("domains", "[]", Shape::Texts, "what we are responsible for; empty: this machine's own names and addresses"),
    key("listen.udp", r#"["0.0.0.0:5060", "[::]:5060"]"#, Shape::Texts, "SIP over UDP; port 0 picks one, [] is off"),
    key("listen.tcp", r#"["0.0.0.0:5060", "[::]:5060"]"#, Shape::Texts, "SIP over TCP; port 0 picks one, [] is off"),
    later("listen.tls", "[]", Shape::Texts, TLS),
    later("listen.ws", "[]", Shape::Texts, WEB),
    later("listen.wss", "[]", Shape::Texts, WEB),
    later("listen.http", "[]", Shape::Texts, WEB),
    later("tls.certificate", r#""""#, Shape::Text, TLS),
    later("tls.key", r#""""#, Shape::Text, TLS),
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
    Key {
        name: "proxy.mode",
        default: r#""stateful""#,
        about: "how requests are forwarded",
        shape: Shape::Choice(&["stateful", "stateless", "redirect", "call-stateful"]),
        not_yet: Some("only \"stateful\" is there yet"),
    },
    key("proxy.record_route", "true", Shape::Switch, "whether we stay in the path of the calls that we set up"),
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
    later(
        "store.url",
        r#""sqlite:ringback.db""#,
        Shape::Text,
        "databases are not there yet (accounts are in DATA/users.toml, bindings in memory): leave this key out",
    ),
    key("user", "[]", Shape::Tables, "accounts: name, and password or ha1_md5 and ha1_sha256"),
    later("route", "[]", Shape::Tables, "dial rules are not there yet: leave [[route]] out"),
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
