use crate::Domains;
use engine::{Mac, Rng};
use sip_auth::Algorithm;

/// How an exchange is set up. The same for all its shards.
#[derive(Debug, Clone)]
pub struct Config {
    /// What we are responsible for.
    pub domains: Domains,
    /// Whether those who use our name, or want to be relayed, must prove who they are.
    pub auth_required: bool,
    /// The protection space that secrets were made for.
    pub realm: String,
    /// Digest algorithms offered, the most wanted first.
    pub algorithms: Vec<Algorithm>,
    /// How long bindings last.
    pub registrar: sip_registrar::Config,
    /// Whether later requests of a dialog come through us.
    pub record_route: bool,
    /// What signs our tokens.
    pub keys: Keys,
}

/// The keys of everything that we sign and that comes back: the same in all shards, and after a restart.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    pub(crate) branch: Mac,
    pub(crate) route: Mac,
    pub(crate) nonce: Mac,
    pub(crate) shard: Mac,
}

impl Config {
    /// An exchange for these domains with everything at its default.
    pub fn new(domains: Domains, keys: Keys) -> Config {
        Config {
            domains,
            auth_required: true,
            realm: "ringback".to_owned(),
            algorithms: vec![Algorithm::Md5],
            registrar: sip_registrar::Config::default(),
            record_route: true,
            keys,
        }
    }
}

impl Keys {
    /// All keys from one secret of the data folder.
    pub fn from_secret(secret: [u8; 32]) -> Keys {
        let mut rng = Rng::from_seed(secret);
        Keys {
            branch: Mac::new(&mut rng),
            route: Mac::new(&mut rng),
            nonce: Mac::new(&mut rng),
            shard: Mac::new(&mut rng),
        }
    }
}
