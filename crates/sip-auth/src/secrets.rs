use crate::Algorithm;
use crate::algorithm::Hash;
use engine::Rng;

/// What a server keeps instead of a user's password: H(user ":" realm ":" password), once per algorithm.
///
/// As good as the password within its realm: never log it, keep it where passwords are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// The MD5.
    pub md5: [u8; 16],
    /// The SHA-256.
    pub sha256: [u8; 32],
    /// The SHA-512-256, where it is known: who has none cannot answer such a challenge.
    pub sha512_256: Option<[u8; 32]>,
}

impl Secrets {
    /// The secrets of `user` in `realm`.
    pub fn new(user: &str, realm: &str, password: &str) -> Secrets {
        let hash = |algorithm: Algorithm| {
            algorithm.hash(&[user.as_bytes(), b":", realm.as_bytes(), b":", password.as_bytes()])
        };
        let mut secrets = Secrets { md5: [0; 16], sha256: [0; 32], sha512_256: None };
        secrets.md5.copy_from_slice(hash(Algorithm::Md5).as_bytes());
        secrets.sha256.copy_from_slice(hash(Algorithm::Sha256).as_bytes());
        secrets.sha512_256.insert([0; 32]).copy_from_slice(hash(Algorithm::Sha512_256).as_bytes());
        secrets
    }

    /// Secrets of nobody, to be as busy with an unknown user as with a known one.
    pub(crate) fn of_nobody(rng: &mut Rng) -> Secrets {
        let mut secrets = Secrets { md5: [0; 16], sha256: [0; 32], sha512_256: None };
        rng.fill(&mut secrets.md5);
        rng.fill(&mut secrets.sha256);
        rng.fill(secrets.sha512_256.insert([0; 32]));
        secrets
    }

    /// H(A1) of RFC 7616 section 3.4.2, where it is known.
    pub(crate) fn ha1(&self, algorithm: Algorithm) -> Option<Hash> {
        Some(match algorithm {
            Algorithm::Md5 => Hash::from_slice(&self.md5),
            Algorithm::Sha256 => Hash::from_slice(&self.sha256),
            Algorithm::Sha512_256 => Hash::from_slice(self.sha512_256.as_ref()?),
        })
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(secret)")
    }
}
