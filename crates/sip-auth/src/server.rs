use crate::algorithm::{Hash, Hex};
use crate::answer_fields::AnswerFields;
use crate::counts::{Counts, NONCES_TRACKED_MAX};
use crate::nonce::{Nonce, NonceMaker};
use crate::target::same_target;
use crate::{Algorithm, Kind, Secrets};
use engine::{Mac, Now, Rng};
use sip_message::Message;
use std::net::IpAddr;
use std::time::Duration;
use subtle::{Choice, ConstantTimeEq};

/// Bytes that a user name or a cnonce may have; longer ones are malformed.
pub const PARAMETER_BYTES_MAX: usize = 256;

/// What a server asks of those who want to be let in.
#[derive(Debug, Clone)]
pub struct Config {
    /// The protection space: the name that a phone shows, and part of every secret. Has no quotes, backslashes or control characters.
    pub realm: String,
    /// What is offered, the most wanted first (RFC 8760 section 2.3). Answers by any other are not accepted.
    pub algorithms: Vec<Algorithm>,
    /// How long a nonce may be used.
    pub nonce_lifetime: Duration,
    /// Whether a phone that knows RFC 2069 only (no `qop`, no counts) may answer: each of its nonces then counts for one request.
    pub accept_without_qop: bool,
}

impl Config {
    /// MD5 alone, because phones in the field give up on a challenge that lists more; nonces live 300 s; `qop` is required.
    pub fn new(realm: impl Into<String>) -> Config {
        Config {
            realm: realm.into(),
            algorithms: vec![Algorithm::Md5],
            nonce_lifetime: Duration::from_secs(300),
            accept_without_qop: false,
        }
    }
}

/// The server side: challenges, and judges the answers.
pub struct Authenticator {
    config: Config,
    nonces: NonceMaker,
    counts: Counts,
    nobody: Secrets,
    rng: Rng,
    /// The last H(A2): most requests are REGISTERs for one domain.
    ha2: Option<HashedTarget>,
}

/// H(A2) of RFC 7616 section 3.4.3, and what it is of.
struct HashedTarget {
    algorithm: Algorithm,
    method: String,
    uri: String,
    hex: Hex,
}

/// What a request's credentials amount to before anybody's secret is known.
#[derive(Debug)]
pub enum Verdict {
    /// None for this realm: challenge.
    Missing,
    /// The nonce is too old, used up, not ours, or was given to somebody elsewhere: challenge with `stale`, the phone then tries again without asking its user.
    Stale,
    /// They break the rules: 400 with this Reason-Phrase (RFC 7616 section 3.4).
    Malformed(&'static str),
    /// They may be right: fetch the user's secrets and [`Authenticator::verify`].
    Claims(Claim),
}

/// Credentials that wait for the secrets of the user whom they name.
#[derive(Clone)]
pub struct Claim {
    /// The user's name, and behind it what follows H(A1) in the hash that is the response (RFC 7616 section 3.4.1).
    text: String,
    user_bytes: usize,
    algorithm: Algorithm,
    response: Hash,
    nonce: Nonce,
    count: u32,
}

impl Claim {
    /// Who the request claims to come from: a name in the realm, not an address.
    pub fn user(&self) -> &str {
        self.text.get(..self.user_bytes).unwrap_or("")
    }

    fn behind_ha1(&self) -> &[u8] {
        self.text.as_bytes().get(self.user_bytes..).unwrap_or(&[])
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim")
            .field("user", &self.user())
            .field("algorithm", &self.algorithm)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Authenticator {
    /// An engine whose nonces are signed by `mac`. Nonces of one engine mean nothing to another, even with the same `mac`:
    /// the other does not know which counts were used, and answers them as stale.
    pub fn new(config: Config, mac: Mac, mut rng: Rng) -> Authenticator {
        Authenticator::with_tracked_max(config, mac, &mut rng, NONCES_TRACKED_MAX)
    }

    fn with_tracked_max(mut config: Config, mac: Mac, rng: &mut Rng, tracked_max: usize) -> Authenticator {
        config.realm.retain(|c| !c.is_control() && c != '"' && c != '\\');
        Authenticator {
            nonces: NonceMaker::new(mac, config.nonce_lifetime, rng),
            counts: Counts::new(rng, tracked_max),
            nobody: Secrets::of_nobody(rng),
            rng: rng.split(),
            ha2: None,
            config,
        }
    }

    /// Offers these algorithms from now on, the most wanted first.
    pub fn offer(&mut self, algorithms: Vec<Algorithm>) {
        self.config.algorithms = algorithms;
    }

    /// The realm, as it is challenged for and as secrets must be made for.
    pub fn realm(&self) -> &str {
        &self.config.realm
    }

    /// The values of a challenge's header fields, one per algorithm, in the order in which they must stand (RFC 8760 section 2.3).
    /// They are good for answers from `source` alone.
    pub fn challenge(&mut self, now: Now, source: IpAddr, stale: bool) -> Vec<String> {
        let nonce = self.nonces.make(now, source, &mut self.rng);
        let stale = if stale { ", stale=true" } else { "" };
        let realm = &self.config.realm;
        let value = |algorithm: &Algorithm| {
            format!(
                "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{stale}",
                algorithm.as_str()
            )
        };
        self.config.algorithms.iter().map(value).collect()
    }

    /// Reads the credentials for this realm in a request that came from `source`. Needs no secret, and keeps nothing that the answer
    /// depends on.
    pub fn examine(&mut self, now: Now, source: IpAddr, request: &Message, kind: Kind) -> Verdict {
        let mut otherwise = Verdict::Missing;
        for field in request.fields(kind.answer_field()) {
            let answer = match AnswerFields::of(field) {
                Ok(Some(answer)) => answer,
                Ok(None) => continue,
                Err(bad) => {
                    otherwise = Verdict::Malformed(bad.0);
                    continue;
                }
            };
            if answer.realm().as_deref() != Some(&*self.config.realm) {
                continue;
            }
            let algorithm = answer.algorithm().map_or(Some(Algorithm::Md5), |name| Algorithm::parse(&name));
            match algorithm.filter(|algorithm| self.config.algorithms.contains(algorithm)) {
                Some(algorithm) => {
                    return self
                        .examine_answer(now, source, request, &answer, algorithm)
                        .unwrap_or_else(|verdict| verdict);
                }
                None => continue,
            }
        }
        otherwise
    }

    fn examine_answer(
        &mut self,
        now: Now,
        source: IpAddr,
        request: &Message,
        answer: &AnswerFields<'_>,
        algorithm: Algorithm,
    ) -> Result<Verdict, Verdict> {
        let nonce_text = answer.nonce().ok_or(Verdict::Malformed("credentials without a nonce"))?;
        if nonce_text.is_empty() {
            // RFC 8760 section 2.7: a client that has not been challenged yet introduces itself.
            return Err(Verdict::Missing);
        }
        let user = answer.username().ok_or(Verdict::Malformed("credentials without a username"))?;
        let uri = answer.uri().ok_or(Verdict::Malformed("credentials without a uri"))?;
        let response = answer.response().ok_or(Verdict::Malformed("credentials without a response"))?;
        let response =
            Hash::from_hex(&response, algorithm).ok_or(Verdict::Malformed("digest response of the wrong length"))?;
        if user.len() > PARAMETER_BYTES_MAX {
            return Err(Verdict::Malformed("username too long"));
        }
        if !same_target(&uri, request.request_uri()) {
            return Err(Verdict::Malformed("digest uri is not the Request-URI"));
        }
        let nonce = self.nonces.check(now, source, &nonce_text).ok_or(Verdict::Stale)?;
        let ha2 = self.ha2(algorithm, request.method_text(), &uri);

        let mut text = String::with_capacity(user.len() + nonce_text.len() + ha2.as_str().len() + 64);
        text.push_str(&user);
        let mut add = |part: &str| {
            text.push(':');
            text.push_str(part);
        };
        add(&nonce_text);
        let count = match answer.qop() {
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let nc = answer.nc().ok_or(Verdict::Malformed("credentials without a nonce count"))?;
                let cnonce = answer.cnonce().ok_or(Verdict::Malformed("credentials without a cnonce"))?;
                if cnonce.len() > PARAMETER_BYTES_MAX {
                    return Err(Verdict::Malformed("cnonce too long"));
                }
                let count = (nc.len() <= 8).then(|| u32::from_str_radix(&nc, 16).ok()).flatten();
                let count = count.ok_or(Verdict::Malformed("nonce count is not 8 hexadecimal digits"))?;
                [&*nc, &*cnonce, &*qop].into_iter().for_each(&mut add);
                count
            }
            Some(_) => return Err(Verdict::Malformed("qop is not auth")),
            None if self.config.accept_without_qop => 1,
            None => return Err(Verdict::Malformed("credentials without qop")),
        };
        add(ha2.as_str());
        if !self.counts.unused(nonce, count) {
            return Err(Verdict::Stale);
        }
        Ok(Verdict::Claims(Claim { text, user_bytes: user.len(), algorithm, response, nonce, count }))
    }

    fn ha2(&mut self, algorithm: Algorithm, method: &str, uri: &str) -> Hex {
        let same = |last: &&HashedTarget| last.algorithm == algorithm && last.method == method && last.uri == uri;
        if let Some(last) = self.ha2.as_ref().filter(same) {
            return last.hex;
        }
        let hex = algorithm.hash(&[method.as_bytes(), b":", uri.as_bytes()]).hex();
        if method.len() + uri.len() <= PARAMETER_BYTES_MAX {
            self.ha2 = Some(HashedTarget { algorithm, method: method.to_owned(), uri: uri.to_owned(), hex });
        }
        hex
    }

    /// Whether the claim is proved: the right password, with a count that nobody used meanwhile.
    ///
    /// `None` for a user who does not exist: takes as long, and is never true.
    pub fn verify(&mut self, now: Now, claim: &Claim, secrets: Option<&Secrets>) -> bool {
        let known = secrets.and_then(|secrets| secrets.ha1(claim.algorithm));
        let exists = Choice::from(u8::from(known.is_some()));
        let Some(ha1) = known.or_else(|| self.nobody.ha1(claim.algorithm)) else { return false };
        let ha1 = ha1.hex();
        let expected = claim.algorithm.hash(&[ha1.as_bytes(), claim.behind_ha1()]);
        if !bool::from(expected.as_bytes().ct_eq(claim.response.as_bytes()) & exists) {
            return false;
        }
        self.counts.forget_before(self.nonces.ms(now).saturating_sub(self.config.nonce_lifetime.as_millis() as u64));
        self.counts.mark(claim.nonce, claim.count)
    }
}

#[cfg(test)]
mod tests;
