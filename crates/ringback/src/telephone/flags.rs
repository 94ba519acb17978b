use crate::exit::Failure;
use crate::wav;
use clap::Args;
use media::Source;
use net::{ListenConfig, PemFile, Tls, TlsSetup};
use sdp::Codec;
use sip_message::{Scheme, Transport, Uri};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// SIP's own port, on which a phone without an exchange is expected.
const SIP_PORT: u16 = 5060;

/// Where an exchange that was started here with nothing has put its authority.
const LOCAL_CA: &str = "ringback-data/tls/ca.pem";

/// Where the password of `--as USER@DOMAIN` is.
const PASSWORD_VARIABLE: &str = "RINGBACK_PASSWORD";

/// Who we are, and the way out.
#[derive(Debug, Args)]
pub(crate) struct AccountFlags {
    /// The account, as in 100:secret@192.0.2.1; without :PASS the password is that in the environment's RINGBACK_PASSWORD, which other
    /// users of this machine cannot see
    #[arg(long = "as", value_name = "USER:PASS@DOMAIN")]
    pub(crate) account: Option<Credentials>,
    /// The proxy that everything goes through
    #[arg(long, value_name = "PROXY")]
    pub(crate) via: Option<String>,
    /// The transport where no address names one
    #[arg(long, value_name = "udp|tcp|tls|ws|wss", value_parser = transport)]
    pub(crate) transport: Option<Transport>,
    /// Authorities (PEM) to believe besides the system's; an exchange on this machine has its own in DATA/tls/ca.pem [default:
    /// ringback-data/tls/ca.pem, if that is there]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The local address, perhaps with a port
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub(crate) bind: Option<Bind>,
}

/// What to play, what to keep, and how.
#[derive(Debug, Args)]
pub(crate) struct SoundFlags {
    /// What the other end hears: a WAV file, tone[:HZ], echo or silence
    #[arg(long, value_name = "FILE.wav|tone[:HZ]|echo|silence", default_value = "silence")]
    play: String,
    /// Keeps what is heard, as WAV; a second call goes to FILE-2.wav
    #[arg(long, value_name = "FILE.wav")]
    pub(crate) record: Option<PathBuf>,
    /// Hangs up so long after the answer
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// Keys to press once the call is answered
    #[arg(long, value_name = "DIGITS", value_parser = digits)]
    pub(crate) dtmf: Option<String>,
    /// Codecs, best first: pcmu, pcma
    #[arg(long, value_name = "pcmu,pcma", value_delimiter = ',', value_parser = codec)]
    codec: Vec<Codec>,
    /// Encryption of the sound: off
    #[arg(long, value_name = "off", default_value = "off", value_parser = srtp)]
    srtp: String,
    /// Ways through NATs: off
    #[arg(long, value_name = "off", default_value = "off", value_parser = ice)]
    ice: String,
}

/// A user, its password and its exchange.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    password: String,
    domain: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.domain)
    }
}

impl FromStr for Credentials {
    type Err = String;

    /// The password may hold any character: the first colon and the last @ count.
    fn from_str(text: &str) -> Result<Credentials, String> {
        let text = text.strip_prefix("sip:").unwrap_or(text);
        let (who, domain) = text.rsplit_once('@').ok_or("USER:PASS@DOMAIN is needed")?;
        let (user, password) = match who.split_once(':') {
            Some((user, password)) => (user, password.to_owned()),
            None => (who, std::env::var(PASSWORD_VARIABLE).unwrap_or_default()),
        };
        if user.is_empty() || domain.is_empty() {
            return Err("USER:PASS@DOMAIN is needed".to_owned());
        }
        if !Uri::parse(&format!("sip:{domain}")).is_ok_and(|uri| uri.user.is_none()) {
            return Err(format!("{domain} is no HOST or HOST:PORT"));
        }
        Ok(Credentials { user: user.to_owned(), password, domain: domain.to_owned() })
    }
}

impl Credentials {
    /// As the load generator wants them.
    pub(crate) fn for_load(&self) -> load::Account {
        let Credentials { user, password, domain } = self.clone();
        load::Account { user, password, domain }
    }
}

/// A local address; the port is for the command to choose when it is not said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bind {
    ip: IpAddr,
    port: Option<u16>,
}

impl FromStr for Bind {
    type Err = String;

    fn from_str(text: &str) -> Result<Bind, String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Bind { ip: address.ip(), port: Some(address.port()) });
        }
        let ip = text.trim_start_matches('[').trim_end_matches(']').parse();
        ip.map(|ip| Bind { ip, port: None }).map_err(|_| "an IP address is needed, perhaps with a port".to_owned())
    }
}

impl AccountFlags {
    /// The account, first of a phone's; a proxy without an account makes a nameless one.
    pub(crate) fn accounts(&self) -> Vec<phone::Account> {
        let account = |user: &str, password: &str, domain: &str| phone::Account {
            user: user.to_owned(),
            password: password.to_owned(),
            domain: domain.to_owned(),
            display: None,
            via: self.via.clone(),
            transport: self.transport,
        };
        match (&self.account, &self.via) {
            (Some(Credentials { user, password, domain }), _) => vec![account(user, password, domain)],
            (None, Some(via)) => {
                let host = via.trim_start_matches("sip:").split([';', '?']).next().unwrap_or(via);
                vec![account("anonymous", "", host)]
            }
            (None, None) => Vec::new(),
        }
    }

    /// Refuses what cannot be called, before anybody is asked.
    pub(crate) fn check_address(&self, typed: &str) -> Result<(), Failure> {
        let wrong = |why: &str| Err(Failure::usage(format!("{typed:?} {why}")));
        let accounts = self.accounts();
        let domain = accounts.first().map(|account| account.domain.as_str());
        let text = phone::typed_uri(typed, domain);
        match Uri::parse(&text) {
            Ok(uri) if uri.scheme == Scheme::Tel => {
                wrong("has no host: give sip:NUMBER@HOST, or --as USER:PASS@DOMAIN")
            }
            Ok(uri) if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) => {
                wrong("is no SIP address: give sip:USER@HOST")
            }
            Ok(_) if domain.is_none() && typed.trim().bytes().all(|byte| byte.is_ascii_digit()) => {
                wrong("has no host: give sip:USER@HOST, or --as USER:PASS@DOMAIN")
            }
            Ok(_) => Ok(()),
            Err(bad) => wrong(&format!("is no SIP address ({}): give sip:USER@HOST", bad.0)),
        }
    }

    /// Whom to believe where TLS is spoken.
    pub(crate) fn tls(&self) -> Result<Tls, Failure> {
        let default = Some(PathBuf::from(LOCAL_CA)).filter(|path| path.is_file());
        let authorities = self.ca.clone().or(default).iter().map(|path| PemFile::read(path)).collect::<Result<_, _>>();
        let setup = authorities.map(|authorities| TlsSetup { authorities, ..TlsSetup::default() });
        let tls = setup.and_then(|setup| Tls::new(&setup, SystemTime::now()));
        tls.map(|(tls, _)| tls).map_err(|error| Failure::usage(error.to_string()))
    }

    /// Where to listen. Who waits for calls without an exchange must be where others look.
    pub(crate) fn listen(&self, awaits_calls: bool) -> ListenConfig {
        let port = if awaits_calls && self.account.is_none() { SIP_PORT } else { 0 };
        match self.bind {
            None => ListenConfig::any(port),
            Some(bind) => {
                let address = vec![SocketAddr::new(bind.ip, bind.port.unwrap_or(port))];
                ListenConfig { udp: address.clone(), tcp: address, ..ListenConfig::default() }
            }
        }
    }
}

impl SoundFlags {
    /// The sound to send, and whether it comes to an end.
    pub(crate) fn source(&self) -> Result<(Source, bool), Failure> {
        let endless = |source| Ok((source, false));
        match self.play.as_str() {
            "silence" => endless(Source::Silence),
            "echo" => endless(Source::Echo),
            "tone" => endless(Source::Tone { hz: 440.0 }),
            "mic" => Err(Failure::usage("a microphone is not there yet: play a FILE.wav, tone, echo or silence")),
            other => match other.strip_prefix("tone:") {
                Some(hz) => match hz.parse::<f64>() {
                    Ok(hz) if (20.0..4000.0).contains(&hz) => endless(Source::Tone { hz }),
                    _ => Err(Failure::usage(format!("a tone has 20 to 3999 Hz, not {hz}"))),
                },
                None => {
                    let samples = wav::read(other.as_ref())?;
                    Ok((Source::Samples { samples: samples.into(), looped: false }, true))
                }
            },
        }
    }

    /// The codecs, best first.
    pub(crate) fn codecs(&self) -> Vec<Codec> {
        if self.codec.is_empty() { Codec::ALL.to_vec() } else { self.codec.clone() }
    }
}

fn transport(text: &str) -> Result<Transport, String> {
    match Transport::parse(text) {
        Some(transport) => Ok(transport),
        None => Err("udp, tcp, tls, ws or wss is needed".to_owned()),
    }
}

fn codec(text: &str) -> Result<Codec, String> {
    Codec::from_name(text).ok_or_else(|| "only pcmu and pcma are there yet".to_owned())
}

fn srtp(text: &str) -> Result<String, String> {
    only_off(text, "encrypted sound is not there yet: leave --srtp off")
}

fn ice(text: &str) -> Result<String, String> {
    only_off(text, "ICE is not there yet: leave --ice off")
}

fn only_off(text: &str, sentence: &str) -> Result<String, String> {
    if text == "off" { Ok(text.to_owned()) } else { Err(sentence.to_owned()) }
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|time| time.as_secs() <= 1_000_000).ok_or_else(|| "a number of seconds is needed".to_owned())
}

fn digits(text: &str) -> Result<String, String> {
    let valid = |digit: char| digit.is_ascii_digit() || "*#ABCD".contains(digit.to_ascii_uppercase());
    if text.chars().all(valid) { Ok(text.to_ascii_uppercase()) } else { Err("0-9, *, # and A-D are keys".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::{Bind, Credentials, codec, digits, seconds, transport};

    #[test]
    fn accounts_are_read() {
        let read = |text: &str| {
            text.parse::<Credentials>().map(|account| [account.user, account.password, account.domain]).ok()
        };
        assert_eq!(read("100:se:cr@t@10.0.0.1:5070"), Some(["100", "se:cr@t", "10.0.0.1:5070"].map(String::from)));
        assert_eq!(read("sip:100:x@[::1]:5070"), Some(["100", "x", "[::1]:5070"].map(String::from)));
        assert_eq!(read("100@example.org"), Some(["100", "", "example.org"].map(String::from)));
        for bad in ["100", ":x@example.org", "100:x@", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_may_have_a_port() {
        let read = |text: &str| text.parse::<Bind>().map(|bind| (bind.ip.to_string(), bind.port)).ok();
        assert_eq!(read("127.0.0.1"), Some(("127.0.0.1".into(), None)));
        assert_eq!(read("127.0.0.1:7"), Some(("127.0.0.1".into(), Some(7))));
        assert_eq!(read("::1"), Some(("::1".into(), None)));
        assert_eq!(read("[::1]"), Some(("::1".into(), None)));
        assert_eq!(read("[::1]:7"), Some(("::1".into(), Some(7))));
        assert_eq!(read("localhost"), None);
    }

    #[test]
    fn what_is_not_there_yet_is_said_to_be_so() {
        assert!(transport("TCP").is_ok() && transport("wss").is_ok() && transport("sctp").is_err());
        assert!(codec("opus").is_err() && codec("PCMA").is_ok());
        assert!(seconds("1.5").is_ok() && seconds("-1").is_err() && seconds("inf").is_err());
        assert!(digits("12#a").is_ok_and(|text| text == "12#A") && digits("12x").is_err());
    }
}
