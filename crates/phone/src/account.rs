use crate::{Event, Phone};
use engine::Now;
use sip_auth::Credentials;
use sip_message::Transport;
use sip_ua::{Identity, RegistrationId, Route};

/// An account, by its place in [`Config::accounts`](crate::Config::accounts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub usize);

/// A name at an exchange, and the password that proves it (which is not in its `Debug`).
#[derive(Clone)]
pub struct Account {
    /// The user's name, in the address-of-record and in Digest.
    pub user: String,
    /// The password.
    pub password: String,
    /// The exchange: a name or an address, perhaps with a port (`example.org`, `192.0.2.1:5070`, `[2001:db8::1]`).
    pub domain: String,
    /// The name shown to people.
    pub display: Option<String>,
    /// The proxy that everything goes through: a host, perhaps with a port, or a SIP URI.
    pub via: Option<String>,
    /// The transport to use where no URI names one.
    pub transport: Option<Transport>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut account = f.debug_struct("Account");
        account.field("user", &self.user).field("domain", &self.domain).field("via", &self.via);
        account.field("transport", &self.transport).finish_non_exhaustive()
    }
}

impl Account {
    /// Who this account makes us: `sip:user@domain`, without the port that only says where the exchange listens.
    fn identity(&self) -> Identity {
        Identity {
            uri: Some(format!("sip:{}@{}", self.user, without_port(&self.domain))),
            display: self.display.clone(),
            contact_user: self.user.clone(),
            credentials: Some(Credentials::new(&self.user, &self.password)),
        }
    }

    fn route(&self, default: Option<Transport>) -> Route {
        let transport = self.transport.or(default);
        let Some(via) = &self.via else { return Route::Uri(transport) };
        let uri = if has_scheme(via) { via.clone() } else { format!("sip:{via}") };
        match transport {
            Some(transport) if !uri.contains(";transport=") => {
                Route::Proxy(format!("{uri};transport={}", transport.as_param()))
            }
            _ => Route::Proxy(uri),
        }
    }
}

/// What the phone keeps of an account.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) registration: RegistrationId,
    pub(crate) identity: Identity,
    pub(crate) domain: String,
}

impl Registered {
    pub(crate) fn new(account: &Account, transport: Option<Transport>, agent: &mut sip_ua::UserAgent) -> Registered {
        let identity = account.identity();
        let registration = agent.add_account(sip_ua::Account {
            identity: identity.clone(),
            registrar: format!("sip:{}", account.domain),
            route: account.route(transport),
        });
        Registered { registration, identity, domain: account.domain.clone() }
    }
}

impl Phone {
    pub(crate) fn register(&mut self, now: Now, account: AccountId, expires_s: u32) {
        if let Some(account) = self.accounts.get(account.0) {
            self.agent.register(now, &mut self.layer, account.registration, expires_s);
        }
    }

    pub(crate) fn unregister(&mut self, now: Now, account: AccountId) {
        if let Some(account) = self.accounts.get(account.0) {
            self.agent.unregister(now, &mut self.layer, account.registration);
        }
    }

    pub(crate) fn account_of(&self, registration: RegistrationId) -> Option<AccountId> {
        self.accounts.iter().position(|account| account.registration == registration).map(AccountId)
    }

    /// As whom, whom, and which way: what a user typed becomes a URI. `None` for an account that is not there.
    pub(crate) fn address(&self, typed: &str, account: Option<AccountId>) -> Option<Address> {
        let Some(account) = account else {
            let identity =
                Identity { uri: None, display: None, contact_user: self.config.user.clone(), credentials: None };
            return Some(Address { uri: typed_uri(typed, None), identity, route: Route::Uri(self.config.transport) });
        };
        let account = self.accounts.get(account.0)?;
        let uri = typed_uri(typed, Some(&account.domain));
        Some(Address { uri, identity: account.identity.clone(), route: Route::Registration(account.registration) })
    }

    pub(crate) fn registration_event(&mut self, event: sip_ua::Event) {
        let told = match event {
            sip_ua::Event::Registered { registration, expires_s } => {
                self.account_of(registration).map(|account| Event::RegistrationOk { account, expires_s })
            }
            sip_ua::Event::RegistrationFailed { registration, failure, retry_s } => {
                self.account_of(registration).map(|account| Event::RegistrationFailed { account, failure, retry_s })
            }
            sip_ua::Event::Unregistered { registration, outcome } => {
                self.account_of(registration).map(|account| Event::Unregistered { account, outcome })
            }
            _ => None,
        };
        self.outputs.extend(told.map(crate::Output::Event));
    }
}

/// See [`Phone::address`].
pub(crate) struct Address {
    pub(crate) uri: String,
    pub(crate) identity: Identity,
    pub(crate) route: Route,
}

/// The URI that a user means: `sip:bob@example.org` stays, `bob@example.org` gets its scheme, and `bob` is somebody at `domain`, our own
/// exchange (or, without one, a host). So is `tel:+123` (RFC 3261 section 19.1.6).
pub fn typed_uri(typed: &str, domain: Option<&str>) -> String {
    let typed = typed.trim();
    let telephone = typed.get(..4).filter(|begin| begin.eq_ignore_ascii_case("tel:")).and(typed.get(4..));
    match domain {
        Some(domain) if telephone.is_some() => format!("sip:{}@{domain};user=phone", telephone.unwrap_or_default()),
        _ if has_scheme(typed) => typed.to_owned(),
        Some(domain) if !typed.contains('@') => format!("sip:{typed}@{domain}"),
        _ => format!("sip:{typed}"),
    }
}

fn has_scheme(text: &str) -> bool {
    ["sip:", "sips:", "tel:"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)))
}

fn without_port(domain: &str) -> &str {
    let domain = domain.split(';').next().unwrap_or(domain);
    match domain.rsplit_once(':') {
        Some((host, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']')) =>
        {
            host
        }
        _ => domain,
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, typed_uri, without_port};
    use sip_message::Transport;
    use sip_ua::Route;

    #[test]
    fn what_users_type() {
        assert_eq!(typed_uri("sip:bob@example.org", Some("a.b")), "sip:bob@example.org");
        assert_eq!(typed_uri(" SIPS:bob@example.org ", None), "SIPS:bob@example.org");
        assert_eq!(typed_uri("bob@example.org", Some("a.b")), "sip:bob@example.org");
        assert_eq!(typed_uri("101", Some("192.0.2.1:5070")), "sip:101@192.0.2.1:5070");
        assert_eq!(typed_uri("192.0.2.1:5070", None), "sip:192.0.2.1:5070");
        assert_eq!(typed_uri("TEL:+123", Some("a.b")), "sip:+123@a.b;user=phone");
        assert_eq!(typed_uri("tel:+123", None), "tel:+123");
    }

    #[test]
    fn addresses_of_record_have_no_port() {
        assert_eq!(without_port("example.org"), "example.org");
        assert_eq!(without_port("192.0.2.1:5070"), "192.0.2.1");
        assert_eq!(without_port("[2001:db8::1]:5070"), "[2001:db8::1]");
        assert_eq!(without_port("[2001:db8::1]"), "[2001:db8::1]");
        assert_eq!(without_port("example.org:5070;transport=tcp"), "example.org");
    }

    #[test]
    fn ways_to_an_exchange() {
        let account = |via: Option<&str>, transport| Account {
            user: "alice".into(),
            password: "secret".into(),
            domain: "example.org:5070".into(),
            display: None,
            via: via.map(str::to_owned),
            transport,
        };
        let route = |via, transport, default| format!("{:?}", account(via, transport).route(default));
        assert_eq!(route(None, Some(Transport::Tcp), None), format!("{:?}", Route::Uri(Some(Transport::Tcp))));
        assert_eq!(route(None, None, Some(Transport::Tcp)), format!("{:?}", Route::Uri(Some(Transport::Tcp))));
        assert_eq!(route(Some("proxy:5080"), None, None), format!("{:?}", Route::Proxy("sip:proxy:5080".into())));
        assert_eq!(
            route(Some("sip:proxy"), Some(Transport::Tcp), None),
            format!("{:?}", Route::Proxy("sip:proxy;transport=tcp".into()))
        );
        let named = "sip:proxy;transport=udp";
        assert_eq!(route(Some(named), Some(Transport::Tcp), None), format!("{:?}", Route::Proxy(named.into())));
        assert_eq!(account(None, None).identity().uri.as_deref(), Some("sip:alice@example.org"));
    }
}
