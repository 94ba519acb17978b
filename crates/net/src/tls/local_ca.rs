use super::names::Names;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// Days that the local authority lives.
pub const LOCAL_CA_DAYS: u64 = 3650;

/// Days that a certificate of the local authority lives: as long as public ones were ever allowed to lately, so that no phone finds it
/// strange.
pub const LOCAL_CERTIFICATE_DAYS: u64 = 397;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A certificate and its key, both in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct PemPair {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl std::fmt::Debug for PemPair {
    /// The key is nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PemPair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Why the local authority does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalCaError(String);

impl std::fmt::Display for LocalCaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the local certificate authority: {}", self.0)
    }
}

impl std::error::Error for LocalCaError {}

impl From<rcgen::Error> for LocalCaError {
    fn from(error: rcgen::Error) -> LocalCaError {
        LocalCaError(error.to_string())
    }
}

/// Makes an authority of this exchange's own (ECDSA P-256, [`LOCAL_CA_DAYS`]), for phones to be told to trust.
pub fn make_local_ca(now: SystemTime) -> Result<PemPair, LocalCaError> {
    let key = KeyPair::generate()?;
    // People tell several of them apart by the name.
    let number =
        params_of_ca(String::new()).key_identifier(&key).iter().take(4).fold(0, |n, byte| n << 8 | u32::from(*byte));
    let mut params = params_of_ca(format!("Ringback local authority {number:08x}"));
    set_validity(&mut params, now, LOCAL_CA_DAYS);
    Ok(PemPair { certificate: params.self_signed(&key)?.pem(), key: key.serialize_pem() })
}

fn params_of_ca(name: String) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Makes a certificate signed by `ca` ([`LOCAL_CERTIFICATE_DAYS`]) for these names and addresses: each name as a `sip:` URI, the identity
/// that RFC 5922 section 7.1 looks for first, and as a DNS name, for those who look for that; each address as an address.
/// What is no DNS name is left out.
pub fn make_local_certificate(
    ca: &PemPair,
    domains: &[String],
    addresses: &[IpAddr],
    now: SystemTime,
) -> Result<PemPair, LocalCaError> {
    let der = CertificateDer::from_pem_slice(ca.certificate.as_bytes()).ok();
    let name = der.and_then(|der| Names::of(&der)).and_then(|names| names.common_name);
    let name = name.ok_or_else(|| LocalCaError("its certificate is none that was made here".to_owned()))?;
    let issuer = Issuer::new(params_of_ca(name), KeyPair::from_pem(&ca.key)?);
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let name = domains.first().cloned().or_else(|| addresses.first().map(IpAddr::to_string)).unwrap_or_default();
    params.distinguished_name.push(DnType::CommonName, name);
    for domain in domains.iter().filter(|domain| is_name(domain)) {
        params.subject_alt_names.push(SanType::DnsName(domain.as_str().try_into()?));
        params.subject_alt_names.push(SanType::URI(format!("sip:{domain}").try_into()?));
    }
    for address in addresses {
        params.subject_alt_names.push(SanType::IpAddress(*address));
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, now, LOCAL_CERTIFICATE_DAYS);
    Ok(PemPair { certificate: params.signed_by(&key, &issuer)?.pem(), key: key.serialize_pem() })
}

/// Whether a certificate (in PEM) made by [`make_local_certificate`] will do no more: less than a third of its life is left, or it is for
/// others than these names and addresses, or it is none.
pub fn local_certificate_is_stale(
    certificate: &str,
    domains: &[String],
    addresses: &[IpAddr],
    now: SystemTime,
) -> bool {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes());
    let Some(names) = der.ok().and_then(|der| Names::of(&der)) else { return true };
    let domains = domains.iter().map(String::as_str).filter(|domain| is_name(domain)).collect();
    names.not_after.is_none_or(|end| end < now + DAY * (LOCAL_CERTIFICATE_DAYS as u32 / 3))
        || !names.are_exactly(domains, addresses.to_vec())
}

/// Whether it can be written as a DNS name at all.
fn is_name(domain: &str) -> bool {
    rustls_pki_types::DnsName::try_from(domain).is_ok() && domain.parse::<IpAddr>().is_err()
}

/// From an hour ago, for clocks that are a little slow.
fn set_validity(params: &mut CertificateParams, now: SystemTime, days: u64) {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(since_1970.as_secs());
    params.not_before = now - Duration::from_secs(3600);
    params.not_after = now + DAY * days as u32;
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::ServerName;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    #[test]
    fn it_is_for_every_name_and_address_that_was_given() {
        let ca = make_local_ca(now()).unwrap();
        let addresses = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let domains = ["example.org".to_owned(), "host".to_owned(), "192.0.2.7".to_owned(), "no name".to_owned()];
        let pair = make_local_certificate(&ca, &domains, &addresses, now()).unwrap();
        let names = Names::of(&CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()).unwrap();
        for wanted in ["example.org", "host", "192.0.2.1", "2001:db8::1"] {
            assert!(names.are_for(&ServerName::try_from(wanted).unwrap()), "{wanted}");
        }
        assert_eq!(names.proved(), ["example.org", "host", "sip:example.org", "sip:host"]);
        assert!(!format!("{pair:?}").contains("PRIVATE"));
    }

    #[test]
    fn it_is_renewed_when_a_third_is_left_or_the_names_are_others() {
        let ca = make_local_ca(now()).unwrap();
        let domains = ["b.example".to_owned(), "a.example".to_owned()];
        let addresses = ["192.0.2.1".parse().unwrap()];
        let pair = make_local_certificate(&ca, &domains, &addresses, now()).unwrap();
        let stale = |domains: &[String], addresses: &[IpAddr], days: u32| {
            local_certificate_is_stale(&pair.certificate, domains, addresses, now() + DAY * days)
        };
        assert!(!stale(&domains, &addresses, 0));
        assert!(!stale(&[domains[1].clone(), domains[0].clone()], &addresses, 264));
        assert!(stale(&domains, &addresses, 266));
        assert!(stale(&domains[..1], &addresses, 0));
        assert!(stale(&domains, &[], 0));
        assert!(stale(&domains, &["192.0.2.2".parse().unwrap()], 0));
        assert!(local_certificate_is_stale("garbage", &domains, &addresses, now()));
    }
}
