//! TLS: what we show and whom we believe (RFC 3261 section 26, RFC 5922), and a small authority of our own for those who have none.

mod local_ca;
mod names;
mod setup;
mod verify;

pub use local_ca::{
    LOCAL_CA_DAYS, LOCAL_CERTIFICATE_DAYS, LocalCaError, PemPair, local_certificate_is_stale, make_local_ca,
    make_local_certificate,
};
pub(crate) use names::Names;
pub use setup::{PemFile, TLS_CLIENT_SESSIONS_MAX, Tls, TlsError, TlsSetup, TlsWrong};
