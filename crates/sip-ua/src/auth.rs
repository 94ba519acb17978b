use engine::Rng;
use sip_auth::{Credentials, Kind, NonceUse};
use sip_message::{HeaderName, Message};

/// Credentials with what the servers of one registration or one call have challenged them with, so that the next request is
/// signed before anybody asks (RFC 3261 section 22.2).
#[derive(Debug, Default)]
pub(crate) struct Auth {
    credentials: Option<Credentials>,
    www: NonceUse,
    proxy: NonceUse,
}

/// What is signed, as Digest sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    pub(crate) body: &'a [u8],
}

impl Auth {
    pub(crate) fn new(credentials: Option<Credentials>) -> Auth {
        Auth { credentials, ..Auth::default() }
    }

    /// The same credentials, for somebody who has not challenged us yet.
    pub(crate) fn anew(&self) -> Auth {
        Auth::new(self.credentials.clone())
    }

    /// The signatures that a new request begins with: none for a server that has not challenged us yet.
    pub(crate) fn sign(&mut self, signed: Signed<'_>, rng: &mut Rng) -> Vec<(HeaderName, String)> {
        let Some(credentials) = &self.credentials else { return Vec::new() };
        [&mut self.www, &mut self.proxy]
            .into_iter()
            .filter_map(|nonce| nonce.sign(credentials, signed.method, signed.uri, signed.body, rng))
            .collect()
    }

    /// The signature that a 401 or 407 asks for, `None` when asking again will not help.
    pub(crate) fn answer(
        &mut self,
        challenge: &Message,
        signed: Signed<'_>,
        rng: &mut Rng,
    ) -> Option<(HeaderName, String)> {
        let nonce = match Kind::of_status(challenge.status())? {
            Kind::Www => &mut self.www,
            Kind::Proxy => &mut self.proxy,
        };
        let credentials = self.credentials.as_ref()?;
        sip_auth::answer(credentials, challenge, signed.method, signed.uri, signed.body, nonce, rng)
    }
}
