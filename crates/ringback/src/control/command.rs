use serde::{Deserialize, Serialize};

/// What can be wanted of an exchange; most of it also of the data of one that is stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Command {
    /// The bindings.
    RegLs {},
    /// Removes the bindings of an address-of-record, or one of them.
    RegRm { aor: String, contact: Option<String> },
    /// The realm and the algorithms that secrets must be made for.
    Realm {},
    /// The accounts.
    UserLs {},
    /// One account.
    UserShow { name: String },
    /// Adds accounts, or changes their secrets.
    UserPut { accounts: Vec<Account>, put: Put },
    /// Removes an account, and what is registered for it.
    UserRm { name: String },
    /// Sets where calls go instead.
    UserForward { name: String, forwards: Forwards },
    /// The calls under way.
    CallsLs {},
    /// What passed in a call: its name, or its Call-ID.
    CallsShow { call: String },
    /// Ends a call.
    CallsHangup { id: String },
    /// Calls that are over, the latest first; times in seconds since 1970.
    CallsHistory { since: Option<u64>, until: Option<u64>, user: Option<String>, limit: u32 },
    /// Who is banned.
    BanLs {},
    /// Bans an address or a network.
    BanAdd { source: String, for_s: u64, why: String },
    /// Lifts a ban.
    BanRm { source: String },
    /// The stored routes, in the order in which they are tried.
    RouteLs {},
    /// Adds a route: the TOML of one `[[route]]`.
    RouteAdd { name: String, toml: String },
    /// Removes a route.
    RouteRm { name: String },
}

/// What happens to accounts of those names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Put {
    /// There must be none yet.
    Add,
    /// There must be one; only its secrets change.
    Secrets,
    /// Whatever is there: of one that is there, only the secrets change.
    Either,
}

/// Who may register.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) realm: String,
    #[serde(flatten)]
    pub(crate) secrets: Secrets,
}

/// Digest secrets, in hexadecimal digits.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Secrets {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ha1_md5: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ha1_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ha1_sha512_256: Option<String>,
}

/// Where calls go instead, as [`routing::Forwards`] has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forwards {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) always: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) busy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) no_answer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) no_answer_after_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_registered: Option<String>,
}

impl Forwards {
    pub(crate) fn of(forwards: &routing::Forwards) -> Forwards {
        let text = |place: &Option<routing::Place>| place.as_ref().map(|place| place.as_str().to_owned());
        Forwards {
            always: text(&forwards.always),
            busy: text(&forwards.busy),
            no_answer: text(&forwards.no_answer),
            no_answer_after_s: forwards.no_answer.is_some().then_some(forwards.no_answer_after_s),
            not_registered: text(&forwards.not_registered),
        }
    }
}

impl Secrets {
    /// All digests that there are.
    pub(crate) fn of(secrets: &sip_auth::Secrets) -> Secrets {
        Secrets {
            ha1_md5: Some(hex(&secrets.md5)),
            ha1_sha256: Some(hex(&secrets.sha256)),
            ha1_sha512_256: secrets.sha512_256.as_ref().map(|digest| hex(digest)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, Command, Forwards, Put, Secrets};

    #[test]
    fn commands_are_objects_with_their_name() {
        let forwards = Forwards { busy: Some("101".into()), ..Forwards::default() };
        let secrets = Secrets { ha1_md5: Some("00".into()), ..Secrets::default() };
        let account = Account { name: "anna".into(), realm: "ringback".into(), secrets };
        for (command, text) in [
            (Command::RegLs {}, r#"{"command":"reg-ls"}"#),
            (
                Command::RegRm { aor: "100@a".into(), contact: None },
                r#"{"command":"reg-rm","aor":"100@a","contact":null}"#,
            ),
            (
                Command::UserForward { name: "100".into(), forwards },
                r#"{"command":"user-forward","name":"100","forwards":{"busy":"101"}}"#,
            ),
            (
                Command::UserPut { accounts: vec![account], put: Put::Add },
                r#"{"command":"user-put","accounts":[{"name":"anna","realm":"ringback","ha1_md5":"00"}],"put":"add"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&command).unwrap(), text);
            assert_eq!(serde_json::from_str::<Command>(text).unwrap(), command);
        }
        for wrong in [
            r#"{"command":"reg-ls","all":true}"#,
            r#"{"command":"reg-rm","aor":"100@a","kontakt":null}"#,
            r#"{"command":"shutdown"}"#,
            r#""reg-ls""#,
        ] {
            assert!(serde_json::from_str::<Command>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_not_shown_by_accident() {
        let secrets = Secrets { ha1_md5: Some("5ebe2294ecd0e0f08eab7690d2a6ee69".into()), ..Secrets::default() };
        let account = Account { name: "anna".into(), realm: "ringback".into(), secrets };
        assert!(!format!("{account:?}").contains("5ebe"));
    }
}
