use super::names::{Names, is_name};
use super::verify::SipVerifier;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

/// Peers of whom we remember how to take up an earlier session with them; of further ones the oldest is forgotten.
pub const TLS_CLIENT_SESSIONS_MAX: usize = 64;

/// Where a Linux system keeps the authorities that it trusts.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A file in PEM, as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct PemFile {
    /// What errors call it: its path.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for PemFile {
    /// It may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PemFile").field(&self.name).finish()
    }
}

impl PemFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<PemFile, TlsError> {
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Ok(PemFile { name, bytes }),
            Err(error) => Err(TlsError { file: name, wrong: TlsWrong::Unreadable(error.to_string()) }),
        }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        match found {
            Ok(found) if found.is_empty() => Err(self.wrong(TlsWrong::NoCertificate)),
            Ok(found) => Ok(found),
            Err(error) => Err(self.wrong(TlsWrong::NotPem(error.to_string()))),
        }
    }

    fn wrong(&self, wrong: TlsWrong) -> TlsError {
        TlsError { file: self.name.clone(), wrong }
    }
}

/// What we show, and whom we believe, where TLS is spoken.
#[derive(Debug, Clone, Default)]
pub struct TlsSetup {
    /// Our certificate with the intermediate ones after it, and its key. It is shown to who connects to us, and to whom we connect and
    /// who asks for one (RFC 3261 section 26.3.1).
    pub certificate: Option<(PemFile, PemFile)>,
    /// Authorities whose certificates a client of ours may show. Without any, none is asked for.
    pub client_authorities: Vec<PemFile>,
    /// Authorities, besides the system's, that we believe of servers to which we connect.
    pub authorities: Vec<PemFile>,
    /// Whether the system's authorities are not believed.
    pub without_system_authorities: bool,
}

/// Why a [`TlsSetup`] is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError {
    /// The file that is to blame.
    pub file: String,
    /// What is wrong with it.
    pub wrong: TlsWrong,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsWrong {
    /// It cannot be read.
    Unreadable(String),
    /// It is damaged.
    NotPem(String),
    /// No certificate is in it.
    NoCertificate,
    /// No private key is in it, at least none without a password.
    NoKey,
    /// A certificate in it makes no sense.
    BadCertificate(String),
    /// The key in it is of a kind that is not known here.
    BadKey(String),
    /// The key in it is not the one of the certificate.
    OtherKey,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        match &self.wrong {
            TlsWrong::Unreadable(why) => write!(f, "cannot read {file}: {why}"),
            TlsWrong::NotPem(why) => write!(f, "{file} is damaged: {why}"),
            TlsWrong::NoCertificate => {
                write!(f, "{file} holds no certificate (a BEGIN CERTIFICATE line is looked for)")
            }
            TlsWrong::NoKey => {
                write!(f, "{file} holds no private key (a BEGIN PRIVATE KEY line, without a password, is looked for)")
            }
            TlsWrong::BadCertificate(why) => write!(f, "a certificate in {file} cannot be used: {why}"),
            TlsWrong::BadKey(why) => write!(f, "the key in {file} cannot be used: {why}"),
            TlsWrong::OtherKey => write!(f, "the key in {file} does not belong to the certificate"),
        }
    }
}

impl std::error::Error for TlsError {}

/// What TLS needs, in a place where it can be replaced while connections live: those that are open keep what they began with, the next
/// handshake has the new.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    configs: RwLock<Arc<TlsConfigs>>,
    distrust: Mutex<Option<String>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

pub(crate) struct TlsConfigs {
    /// `None` without a certificate.
    pub(crate) server: Option<Arc<ServerConfig>>,
    pub(crate) client: Arc<ClientConfig>,
}

impl Tls {
    /// Makes it ready; with it come words on what works but is probably not wanted, such as a certificate that has expired.
    pub fn new(setup: &TlsSetup, now: SystemTime) -> Result<(Tls, Vec<String>), TlsError> {
        let (configs, warnings) = configs(setup, now)?;
        let shared = Shared { configs: RwLock::new(Arc::new(configs)), distrust: Mutex::new(None) };
        Ok((Tls(Arc::new(shared)), warnings))
    }

    /// Puts another setup in its place, or changes nothing.
    pub fn replace(&self, setup: &TlsSetup, now: SystemTime) -> Result<Vec<String>, TlsError> {
        let (configs, warnings) = configs(setup, now)?;
        *self.0.configs.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(configs);
        Ok(warnings)
    }

    /// Whether it has a certificate to show, without which nobody can be served.
    pub fn has_certificate(&self) -> bool {
        self.current().server.is_some()
    }

    /// Why the certificate of the other end of a connection that we opened was not believed, the last time that this happened.
    pub fn last_distrust(&self) -> Option<String> {
        self.0.distrust.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_distrust(&self, why: String) {
        *self.0.distrust.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    pub(crate) fn current(&self) -> Arc<TlsConfigs> {
        self.0.configs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Our own certificate.
#[derive(Debug, Clone)]
struct Own(Arc<CertifiedKey>);

impl ResolvesClientCert for Own {
    /// It is shown to those who say that they believe its authority, or do not say whom they believe: to others it would only be a
    /// reason to end the handshake, where without one we are served as anybody is.
    fn resolve(&self, believed: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let issuers: Vec<_> = self.0.cert.iter().filter_map(|one| Names::of(one)).map(|names| names.issuer).collect();
        let fits = believed.is_empty() || believed.iter().any(|name| issuers.iter().any(|own| is_name(own, name)));
        fits.then(|| self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn configs(setup: &TlsSetup, now: SystemTime) -> Result<(TlsConfigs, Vec<String>), TlsError> {
    let provider = Arc::new(default_provider());
    let mut warnings = Vec::new();
    let own = match &setup.certificate {
        Some((chain, key)) => Some(own_certificate(chain, key, &provider, now, &mut warnings)?),
        None => None,
    };
    let server = match &own {
        Some(own) => Some(Arc::new(server_config(setup, own.clone(), &provider)?)),
        None => None,
    };
    Ok((TlsConfigs { server, client: Arc::new(client_config(setup, own, &provider)?) }, warnings))
}

fn own_certificate(
    chain: &PemFile,
    key: &PemFile,
    provider: &CryptoProvider,
    now: SystemTime,
    warnings: &mut Vec<String>,
) -> Result<Own, TlsError> {
    let certificates = chain.certificates()?;
    let first = certificates.first().and_then(|certificate| Names::of(certificate));
    let names = first.ok_or_else(|| chain.wrong(TlsWrong::BadCertificate("it makes no sense".to_owned())))?;
    if names.not_after.is_some_and(|end| end < now) {
        warnings.push(format!("the certificate in {} has expired", chain.name));
    }
    let der = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => key.wrong(TlsWrong::NoKey),
        other => key.wrong(TlsWrong::NotPem(other.to_string())),
    })?;
    let signing = provider.key_provider.load_private_key(der);
    let signing = signing.map_err(|error| key.wrong(TlsWrong::BadKey(error.to_string())))?;
    let certified = CertifiedKey::new(certificates, signing);
    match certified.keys_match() {
        // That a kind of key cannot tell is no mismatch.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(_)) => return Err(key.wrong(TlsWrong::OtherKey)),
        Err(error) => return Err(chain.wrong(TlsWrong::BadCertificate(error.to_string()))),
    }
    Ok(Own(Arc::new(certified)))
}

fn server_config(setup: &TlsSetup, own: Own, provider: &Arc<CryptoProvider>) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().expect("the provider has suites for both versions");
    let builder = match setup.client_authorities.first() {
        None => builder.with_no_client_auth(),
        Some(first) => {
            let mut roots = RootCertStore::empty();
            setup.client_authorities.iter().try_for_each(|file| add(&mut roots, file))?;
            // Who shows none is served, and proves itself by its password if at all; a wrong one ends the handshake.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            let verifier = verifier.allow_unauthenticated().build();
            builder.with_client_cert_verifier(
                verifier.map_err(|error| first.wrong(TlsWrong::BadCertificate(error.to_string())))?,
            )
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(own.0)));
    // Sessions are kept by the clients, in tickets that only we can read: here they take no memory. Renegotiation does not exist.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    if let Ok(ticketer) = Ticketer::new() {
        config.ticketer = ticketer;
    }
    Ok(config)
}

fn client_config(setup: &TlsSetup, own: Option<Own>, provider: &Arc<CryptoProvider>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    if !setup.without_system_authorities
        && let Ok(found) = CertificateDer::pem_file_iter(SYSTEM_AUTHORITIES)
    {
        // What the system has that makes no sense to us is not ours to complain about.
        roots.add_parsable_certificates(found.flatten());
    }
    setup.authorities.iter().try_for_each(|file| add(&mut roots, file))?;
    let verifier = SipVerifier { roots, algorithms: provider.signature_verification_algorithms };
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().expect("the provider has suites for both versions");
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(Arc::new(own)),
        None => builder.with_no_client_auth(),
    };
    config.resumption = rustls::client::Resumption::in_memory_sessions(TLS_CLIENT_SESSIONS_MAX);
    Ok(config)
}

fn add(roots: &mut RootCertStore, file: &PemFile) -> Result<(), TlsError> {
    for certificate in file.certificates()? {
        roots.add(certificate).map_err(|error| file.wrong(TlsWrong::BadCertificate(error.to_string())))?;
    }
    Ok(())
}
