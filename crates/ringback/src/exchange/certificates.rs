use crate::config;
use crate::exit::Failure;
use net::{
    PemFile, PemPair, Tls, TlsSetup, TlsWrong, local_certificate_is_stale, make_local_ca, make_local_certificate,
};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;
use store::{DataFolder, TlsFile, TlsFolder};

/// How many looks at the files lie between two at what is in the exchange's own certificate: it is good for months.
const LOOKS_BETWEEN: u32 = 3600;

/// The certificate that the exchange shows, from the files of its operator or from an authority of its own, which is made on first use; and
/// whom it believes.
pub(crate) struct Certificates {
    files: config::Tls,
    folder: TlsFolder,
    /// Whether a certificate is needed at all.
    serving: bool,
    domains: Vec<String>,
    addresses: Vec<IpAddr>,
    tls: Tls,
    /// The operator's files, as they were when they were read.
    seen: Vec<Option<SystemTime>>,
    looks: u32,
    distrust: Option<String>,
}

impl Certificates {
    /// Reads or makes what is needed, for an exchange that is called `names`. With it come words on what is probably not wanted.
    pub(crate) fn load(
        config: &config::Config,
        folder: &DataFolder,
        names: &[String],
        now: SystemTime,
    ) -> Result<(Certificates, Vec<String>), Failure> {
        let literal = |name: &String| name.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let mut certificates = Certificates {
            files: config.tls.clone(),
            folder: folder.tls(),
            serving: !(config.listen.tls.is_empty() && config.listen.wss.is_empty()),
            domains: names.iter().filter(|name| literal(name).is_none()).cloned().collect(),
            addresses: names.iter().filter_map(literal).collect(),
            tls: Tls::new(&TlsSetup::default(), now).map_err(Failure::usage)?.0,
            seen: Vec::new(),
            looks: 0,
            distrust: None,
        };
        let warnings = certificates.read(now, false)?;
        Ok((certificates, warnings))
    }

    /// What net needs.
    pub(crate) fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// The file that phones must be told to trust, unless they trust the operator's certificate already.
    pub(crate) fn authority(&self) -> Option<PathBuf> {
        (self.serving && self.files.files.is_none()).then(|| self.folder.certificate(TlsFile::Authority))
    }

    /// Why the certificate of somebody whom we connected to was not believed, when that has happened since the last time.
    pub(crate) fn take_distrust(&mut self) -> Option<String> {
        let latest = self.tls.last_distrust();
        if latest == self.distrust {
            return None;
        }
        self.distrust.clone_from(&latest);
        latest
    }

    /// Goes on with other files; connections that are open keep what they have. After an error everything is as it was.
    pub(crate) fn reconfigure(&mut self, files: config::Tls, now: SystemTime) -> Result<Vec<String>, Failure> {
        let (before, seen) = (std::mem::replace(&mut self.files, files), self.seen.clone());
        let outcome = self.read(now, false);
        if outcome.is_err() {
            (self.files, self.seen) = (before, seen);
        }
        outcome
    }

    /// Takes over what has changed in the files; connections that are open keep what they have. `None`: nothing has.
    pub(crate) fn refresh(&mut self, now: SystemTime) -> Option<Result<Vec<String>, Failure>> {
        self.looks += 1;
        let again = self.looks.is_multiple_of(LOOKS_BETWEEN) && self.files.files.is_none() && self.serving;
        if self.marks() == self.seen && !again {
            return None;
        }
        Some(self.read(now, false))
    }

    /// `anew`: with another certificate than the one that the exchange has made before.
    fn read(&mut self, now: SystemTime, anew: bool) -> Result<Vec<String>, Failure> {
        self.seen = self.marks();
        let mut setup = operators(&self.files)?;
        match &self.files.files {
            Some(_) => {}
            None if self.serving => {
                let (authority, own) = self.local(now, anew)?;
                let pem =
                    |path: PathBuf, text: String| PemFile { name: path.display().to_string(), bytes: text.into() };
                let certificate = pem(self.folder.certificate(TlsFile::Server), own.certificate);
                setup.certificate = Some((certificate, pem(self.folder.key(TlsFile::Server), own.key)));
                setup.authorities.push(pem(self.folder.certificate(TlsFile::Authority), authority.certificate));
            }
            None => {}
        }
        match self.tls.replace(&setup, now) {
            // We were stopped between writing the one and the other.
            Err(error) if error.wrong == TlsWrong::OtherKey && self.files.files.is_none() && !anew => {
                self.read(now, true)
            }
            outcome => outcome.map_err(Failure::usage),
        }
    }

    /// The exchange's own authority and certificate: those of the folder as long as they will do, else new ones.
    fn local(&self, now: SystemTime, anew: bool) -> Result<(PemPair, PemPair), Failure> {
        let authority = match self.pair(TlsFile::Authority)? {
            Some(pair) => pair,
            None => self.keep(TlsFile::Authority, make_local_ca(now).map_err(Failure::usage)?)?,
        };
        let (domains, addresses) = (&self.domains[..], &self.addresses[..]);
        let fits = |own: &PemPair| !anew && !local_certificate_is_stale(&own.certificate, domains, addresses, now);
        if let Some(own) = self.pair(TlsFile::Server)?.filter(fits) {
            return Ok((authority, own));
        }
        let made = make_local_certificate(&authority, domains, addresses, now).map_err(|error| {
            let path = self.folder.certificate(TlsFile::Authority);
            Failure::usage(format!("{}: {error}\nremove it and its key, and a new authority is made", path.display()))
        })?;
        Ok((authority, self.keep(TlsFile::Server, made)?))
    }

    fn pair(&self, which: TlsFile) -> Result<Option<PemPair>, Failure> {
        Ok(self.folder.read(which)?.map(|(certificate, key)| PemPair { certificate, key }))
    }

    fn keep(&self, which: TlsFile, pair: PemPair) -> Result<PemPair, Failure> {
        self.folder.write(which, &pair.certificate, &pair.key)?;
        Ok(pair)
    }

    fn marks(&self) -> Vec<Option<SystemTime>> {
        let own = self.files.files.iter().flat_map(|(certificate, key)| [certificate, key]);
        let files = own.chain(&self.files.client_ca).chain(&self.files.ca);
        files.map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok()).collect()
    }
}

/// What the operator's files say.
fn operators(files: &config::Tls) -> Result<TlsSetup, Failure> {
    let read = |path: &PathBuf| PemFile::read(path).map_err(Failure::usage);
    let certificate = match &files.files {
        Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
        None => None,
    };
    let client_authorities = files.client_ca.iter().map(read).collect::<Result<_, _>>()?;
    let authorities = files.ca.iter().map(read).collect::<Result<_, _>>()?;
    Ok(TlsSetup { certificate, client_authorities, authorities, ..TlsSetup::default() })
}

/// Whether the operator's files will do, with words on what is probably not wanted.
pub(crate) fn check_certificates(files: &config::Tls, now: SystemTime) -> Result<Vec<String>, Failure> {
    Ok(Tls::new(&operators(files)?, now).map_err(Failure::usage)?.1)
}
