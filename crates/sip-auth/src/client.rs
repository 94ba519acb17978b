use crate::algorithm::Hash;
use crate::{Algorithm, Kind, Secrets};
use engine::Rng;
use sip_message::{AuthValue, HeaderName, Message};
use std::fmt::Write;

/// Challenges that one request answers, stale nonces counted; after that its sender gives up.
pub const ANSWERS_MAX: u32 = 3;

/// Whom a client is, and how it can prove it.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user's name in the realm.
    pub user: String,
    /// The proof.
    pub password: Password,
}

impl Credentials {
    /// A name and a password, for any realm.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Credentials {
        Credentials { user: user.into(), password: Password::Plain(password.into()) }
    }
}

/// A password, or what can be used in its place.
#[derive(Clone)]
pub enum Password {
    /// The password itself.
    Plain(String),
    /// Its hashes, good for one realm.
    Hashed {
        /// The only realm that they answer.
        realm: String,
        /// The hashes.
        secrets: Secrets,
    },
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(secret)")
    }
}

/// The nonce that a client has been given, so that it can sign its next requests without being asked again.
///
/// One per server (or proxy) and set of credentials. Each new request begins with [`NonceUse::sign`].
#[derive(Debug, Default)]
pub struct NonceUse {
    challenge: Option<Challenge>,
    count: u32,
    /// Challenges answered for the present request.
    answered: u32,
}

/// Signs again, in answer to a 401 or 407: the header field to add to the request (with a new branch and CSeq), in place of an
/// earlier one of that name.
///
/// Answers the topmost challenge that it can (RFC 8760 section 2.4). `None` when there is none, or when the server has
/// refused what was just answered (a second challenge that is not `stale`): the password is wrong, or the user unknown.
pub fn answer(
    credentials: &Credentials,
    challenge: &Message,
    method: &str,
    uri: &str,
    body: &[u8],
    nonce_use: &mut NonceUse,
    rng: &mut Rng,
) -> Option<(HeaderName, String)> {
    let kind = Kind::of_status(challenge.status())?;
    let fits = |challenge: &Challenge| match &credentials.password {
        Password::Plain(_) => true,
        Password::Hashed { realm, secrets } => *realm == challenge.realm && secrets.ha1(challenge.algorithm).is_some(),
    };
    let challenge =
        challenge.fields(kind.challenge_field()).filter_map(|value| Challenge::parse(kind, value)).find(fits)?;
    let known = nonce_use.challenge.as_ref().filter(|known| known.kind == kind && known.realm == challenge.realm);
    let repeated = known.is_some_and(|known| known.nonce == challenge.nonce);
    let refused = known.is_some() && (nonce_use.answered > 0 || repeated) && !challenge.stale;
    if refused || nonce_use.answered >= ANSWERS_MAX {
        return None;
    }
    nonce_use.answered += 1;
    if !repeated {
        nonce_use.count = 0;
    }
    nonce_use.challenge = Some(challenge);
    nonce_use.next_value(credentials, method, uri, body, rng)
}

impl NonceUse {
    /// Begins a new request: the header field that signs it with the nonce known from before, `None` when no nonce is known yet.
    ///
    /// Call it even when nothing can be known: it also forgets that an earlier request was refused.
    pub fn sign(
        &mut self,
        credentials: &Credentials,
        method: &str,
        uri: &str,
        body: &[u8],
        rng: &mut Rng,
    ) -> Option<(HeaderName, String)> {
        self.answered = 0;
        self.next_value(credentials, method, uri, body, rng)
    }

    /// Forgets the nonce: the next request goes out unsigned.
    pub fn forget(&mut self) {
        *self = NonceUse::default();
    }

    fn next_value(
        &mut self,
        credentials: &Credentials,
        method: &str,
        uri: &str,
        body: &[u8],
        rng: &mut Rng,
    ) -> Option<(HeaderName, String)> {
        let challenge = self.challenge.as_ref()?;
        self.count = self.count.checked_add(1)?;
        let value = challenge.answer(credentials, method, uri, body, self.count, &rng.token(16))?;
        Some((challenge.kind.answer_field(), value))
    }
}

/// A challenge that we can answer.
#[derive(Debug)]
struct Challenge {
    kind: Kind,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// The algorithm's name as the server wrote it, if it did.
    algorithm_text: Option<String>,
    qop: Option<Qop>,
    stale: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Qop {
    Auth,
    AuthInt,
}

impl Challenge {
    fn parse(kind: Kind, value: &str) -> Option<Challenge> {
        let value = AuthValue::parse(value).ok().filter(|value| value.scheme.eq_ignore_ascii_case("Digest"))?;
        let algorithm_text = value.get("algorithm").map(|text| text.into_owned());
        let algorithm = algorithm_text.as_deref().map_or(Some(Algorithm::Md5), Algorithm::parse)?;
        let qop = match value.get("qop") {
            // RFC 2069: the response goes without.
            None => None,
            Some(offered) => {
                let offers = |qop: &str| offered.split(',').any(|one| one.trim().eq_ignore_ascii_case(qop));
                Some(if offers("auth") { Qop::Auth } else { offers("auth-int").then_some(Qop::AuthInt)? })
            }
        };
        Some(Challenge {
            kind,
            realm: value.get("realm")?.into_owned(),
            nonce: value.get("nonce")?.into_owned(),
            opaque: value.get("opaque").map(|text| text.into_owned()),
            algorithm,
            algorithm_text,
            qop,
            stale: value.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// The value of the field that answers it.
    fn answer(
        &self,
        credentials: &Credentials,
        method: &str,
        uri: &str,
        body: &[u8],
        count: u32,
        cnonce: &str,
    ) -> Option<String> {
        let count = format!("{count:08x}");
        let response = self.response(credentials, method, uri, body, &count, cnonce)?;
        let mut text = String::from("Digest ");
        let mut quoted = |name: &str, value: &str| {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            let _ = write!(text, "{name}=\"{escaped}\", ");
        };
        quoted("username", &credentials.user);
        quoted("realm", &self.realm);
        quoted("nonce", &self.nonce);
        quoted("uri", uri);
        quoted("response", response.hex().as_str());
        if self.qop.is_some() {
            quoted("cnonce", cnonce);
        }
        if let Some(opaque) = &self.opaque {
            quoted("opaque", opaque);
        }
        if let Some(qop) = self.qop {
            let _ = write!(text, "qop={}, nc={count}, ", qop.as_str());
        }
        if let Some(algorithm) = &self.algorithm_text {
            let _ = write!(text, "algorithm={algorithm}, ");
        }
        text.truncate(text.len() - 2);
        Some(text)
    }

    /// RFC 7616 section 3.4.1; without `qop`, RFC 2617 section 3.2.2.1.
    fn response(
        &self,
        credentials: &Credentials,
        method: &str,
        uri: &str,
        body: &[u8],
        count: &str,
        cnonce: &str,
    ) -> Option<Hash> {
        let algorithm = self.algorithm;
        let ha1 = match &credentials.password {
            Password::Plain(password) => Secrets::new(&credentials.user, &self.realm, password).ha1(algorithm),
            Password::Hashed { secrets, .. } => secrets.ha1(algorithm),
        }?;
        let ha2 = match self.qop {
            Some(Qop::AuthInt) => {
                let body = algorithm.hash(&[body]).hex();
                algorithm.hash(&[method.as_bytes(), b":", uri.as_bytes(), b":", body.as_bytes()])
            }
            Some(Qop::Auth) | None => algorithm.hash(&[method.as_bytes(), b":", uri.as_bytes()]),
        };
        let (ha1, ha2) = (ha1.hex(), ha2.hex());
        Some(match self.qop {
            None => algorithm.hash(&[ha1.as_bytes(), b":", self.nonce.as_bytes(), b":", ha2.as_bytes()]),
            Some(qop) => {
                let parts = [ha1.as_str(), &self.nonce, count, cnonce, qop.as_str(), ha2.as_str()];
                algorithm.hash(&[parts.join(":").as_bytes()])
            }
        })
    }
}

impl Qop {
    fn as_str(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }
}

#[cfg(test)]
mod tests;
