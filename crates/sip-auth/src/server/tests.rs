use super::{Authenticator, Claim, Config, PARAMETER_BYTES_MAX, Verdict};
use crate::{Algorithm, Credentials, Kind, NonceUse, Password, Secrets, answer};
use bytes::Bytes;
use engine::{Mac, Now, Rng};
use sip_message::Message;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Where all requests come from.
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const URI: &str = "sip:101@pbx.example";

struct World {
    server: Authenticator,
    now: Now,
    rng: Rng,
}

impl World {
    fn new(config: Config) -> World {
        let mut rng = Rng::from_u64(3);
        let mac = Mac::new(&mut rng);
        World { server: Authenticator::new(config, mac, rng.split()), now: Now::read_clocks(), rng }
    }

    fn default() -> World {
        World::new(Config::new("pbx.example"))
    }

    /// The field's value with which a client answers a fresh challenge.
    fn answer(&mut self, user: &str, password: &str) -> String {
        let fields = self.server.challenge(self.now, SOURCE, false);
        self.answer_to(&fields, user, password, &mut NonceUse::default())
    }

    fn answer_to(&mut self, fields: &[String], user: &str, password: &str, nonces: &mut NonceUse) -> String {
        let lines: String = fields.iter().map(|value| format!("Proxy-Authenticate: {value}\r\n")).collect();
        let challenge = message("SIP/2.0 407 Proxy Authentication Required", &lines);
        answer(&Credentials::new(user, password), &challenge, "INVITE", URI, b"", nonces, &mut self.rng).unwrap().1
    }

    fn examine(&mut self, credentials: &str) -> Verdict {
        self.server.examine(self.now, SOURCE, &request(credentials), Kind::Proxy)
    }

    fn judge(&mut self, credentials: &str) -> &'static str {
        let secrets = Secrets::new("100", "pbx.example", "right");
        match self.examine(credentials) {
            Verdict::Missing => "missing",
            Verdict::Stale => "stale",
            Verdict::Malformed(reason) => reason,
            Verdict::Claims(claim) => {
                let secrets = (claim.user() == "100").then_some(&secrets);
                if self.server.verify(self.now, &claim, secrets) { "verified" } else { "wrong" }
            }
        }
    }
}

fn message(start: &str, lines: &str) -> Message {
    let text = format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:100@pbx.example>;tag=1\r\nTo: <{URI}>\r\n\
         Call-ID: a\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{lines}Content-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

fn request(credentials: &str) -> Message {
    message(&format!("INVITE {URI} SIP/2.0"), &format!("Proxy-Authorization: {credentials}\r\n"))
}

#[test]
fn the_right_password_counts_once_and_the_nonce_goes_on() {
    let mut world = World::default();
    let fields = world.server.challenge(world.now, SOURCE, false);
    let mut nonces = NonceUse::default();
    let first = world.answer_to(&fields, "100", "right", &mut nonces);
    let mut next =
        || nonces.sign(&Credentials::new("100", "right"), "INVITE", URI, b"", &mut Rng::from_u64(1)).unwrap().1;
    let (second, third) = (next(), next());
    assert_eq!(world.judge(&first), "verified");
    assert_eq!(world.judge(&first), "stale", "a replay");
    assert_eq!(world.judge(&third), "verified");
    assert_eq!(world.judge(&second), "verified", "out of order");
    assert_eq!(world.judge(&second), "stale");
}

#[test]
fn two_copies_examined_before_either_is_verified_count_once() {
    let mut world = World::default();
    let credentials = world.answer("100", "right");
    let secrets = Secrets::new("100", "pbx.example", "right");
    let (Verdict::Claims(a), Verdict::Claims(b)) = (world.examine(&credentials), world.examine(&credentials)) else {
        panic!()
    };
    assert!(world.server.verify(world.now, &a, Some(&secrets)));
    assert!(!world.server.verify(world.now, &b, Some(&secrets)));
}

#[test]
fn wrong_passwords_unknown_users_and_changed_requests_are_refused() {
    let mut world = World::default();
    let wrong = world.answer("100", "wrong");
    assert_eq!(world.judge(&wrong), "wrong");
    let unknown = world.answer("999", "right");
    assert_eq!(world.judge(&unknown), "wrong");
    let nonce = nonce_of(&world.examine(&wrong));
    assert!(world.server.counts.unused(nonce, 1), "a wrong password uses nothing up");
    let right = world.answer("100", "right");
    assert_eq!(world.judge(&right.replace("sip:101@pbx", "sip:101@PBX")), "wrong", "same target, other text");
    let other_method = message(&format!("MESSAGE {URI} SIP/2.0"), &format!("Proxy-Authorization: {right}\r\n"));
    let Verdict::Claims(claim) = world.server.examine(world.now, SOURCE, &other_method, Kind::Proxy) else { panic!() };
    assert!(!world.server.verify(world.now, &claim, Some(&Secrets::new("100", "pbx.example", "right"))));
    assert_eq!(world.judge(&right.replace("nc=00000001", "nc=00000002")), "wrong");
    assert_eq!(world.judge(&right), "verified");
}

#[test]
fn the_stand_in_for_unknown_users_lets_nobody_in() {
    let mut world = World::default();
    let fields = world.server.challenge(world.now, SOURCE, false);
    let challenge = message("SIP/2.0 407 Prove it", &format!("Proxy-Authenticate: {}\r\n", fields[0]));
    let password = Password::Hashed { realm: "pbx.example".to_owned(), secrets: world.server.nobody.clone() };
    let credentials = Credentials { user: "999".to_owned(), password };
    let (_, value) =
        answer(&credentials, &challenge, "INVITE", URI, b"", &mut NonceUse::default(), &mut world.rng).unwrap();
    assert_eq!(world.judge(&value), "wrong");
}

fn nonce_of(verdict: &Verdict) -> crate::nonce::Nonce {
    let Verdict::Claims(Claim { nonce, .. }) = verdict else { panic!("{verdict:?}") };
    *nonce
}

#[test]
fn old_and_foreign_nonces_are_stale_not_wrong() {
    let mut world = World::default();
    let credentials = world.answer("100", "right");
    world.now = world.now + Duration::from_secs(300);
    assert!(matches!(world.examine(&credentials), Verdict::Claims(_)));
    world.now = world.now + Duration::from_secs(1);
    assert_eq!(world.judge(&credentials), "stale");

    let mut other = World::default();
    other.rng = Rng::from_u64(99);
    other.server = Authenticator::new(Config::new("pbx.example"), Mac::from_key([1; 16]), Rng::from_u64(98));
    let foreign = other.answer("100", "right");
    assert_eq!(world.judge(&foreign), "stale");
    let value = world.server.challenge(world.now, SOURCE, true).remove(0);
    assert!(value.ends_with(", stale=true"), "{value}");
}

#[test]
fn which_credentials_are_looked_at() {
    let mut world = World::default();
    let right = world.answer("100", "right");
    let table = [
        ("Basic MTAwOnJpZ2h0".to_owned(), "missing"),
        (right.replace("Digest", "Bearer"), "missing"),
        (right.replace("realm=\"pbx.example\"", "realm=\"elsewhere.example\""), "missing"),
        (right.replace("algorithm=MD5", "algorithm=SHA-256"), "missing"),
        (right.replace("algorithm=MD5", "algorithm=MD5-sess"), "missing"),
        (
            "Digest username=\"100\", realm=\"pbx.example\", nonce=\"\", uri=\"sip:pbx.example\", response=\"\""
                .to_owned(),
            "missing",
        ),
        (
            format!(
                "{}\r\nProxy-Authorization: {right}",
                right.replace("pbx.example\", nonce", "elsewhere.example\", nonce")
            ),
            "verified",
        ),
    ];
    for (credentials, expected) in table {
        assert_eq!(world.judge(&credentials), expected, "{credentials}");
    }
    assert!(
        matches!(world.server.examine(world.now, SOURCE, &request(&right), Kind::Www), Verdict::Missing),
        "another field"
    );
    assert!(matches!(
        world.server.examine(world.now, SOURCE, &message(&format!("INVITE {URI} SIP/2.0"), ""), Kind::Proxy),
        Verdict::Missing
    ));
}

#[test]
fn what_breaks_the_rules_is_told_so() {
    let mut world = World::default();
    let right = world.answer("100", "right");
    let cnonce = right.split("cnonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let long = "x".repeat(PARAMETER_BYTES_MAX + 1);
    let table = [
        (right.replace("username=", "usernam="), "credentials without a username"),
        (right.replace("nonce=\"", "nonc=\"").replace("cnonc=\"", "cnonce=\""), "credentials without a nonce"),
        (right.replace(" uri=", " ur="), "credentials without a uri"),
        (right.replace("response=", "respons="), "credentials without a response"),
        (right.replace("response=\"", "response=\"0"), "digest response of the wrong length"),
        (right.replace("sip:101@", "sip:102@"), "digest uri is not the Request-URI"),
        (right.replace("nc=", "n="), "credentials without a nonce count"),
        (right.replace("nc=00000001", "nc=000000001"), "nonce count is not 8 hexadecimal digits"),
        (right.replace("nc=00000001", "nc=0000000g"), "nonce count is not 8 hexadecimal digits"),
        (right.replace("cnonce=", "cnonc="), "credentials without a cnonce"),
        (right.replace("qop=auth", "qop=auth-int"), "qop is not auth"),
        (right.replace("qop=auth, ", ""), "credentials without qop"),
        (right.replace("username=\"100\"", &format!("username=\"{long}\"")), "username too long"),
        (right.replace(&cnonce, &long), "cnonce too long"),
    ];
    for (credentials, expected) in table {
        assert_eq!(world.judge(&credentials), expected, "{credentials}");
    }
    assert_eq!(world.judge(&right.replace(&cnonce, &long[1..])), "wrong", "the longest cnonce");
}

#[test]
fn rfc_2069_answers_count_where_the_configuration_says_so_and_once_per_nonce() {
    let mut world = World::new(Config { accept_without_qop: true, ..Config::new("pbx.example") });
    let fields: Vec<String> =
        world.server.challenge(world.now, SOURCE, false).iter().map(|f| f.replace(", qop=\"auth\"", "")).collect();
    let old = world.answer_to(&fields, "100", "right", &mut NonceUse::default());
    assert!(!old.contains("qop"));
    assert_eq!(world.judge(&old), "verified");
    assert_eq!(world.judge(&old), "stale");
    let new = world.answer("100", "right");
    assert_eq!(world.judge(&new), "verified");
}

#[test]
fn several_algorithms_are_offered_in_the_order_of_the_configuration() {
    let mut world =
        World::new(Config { algorithms: vec![Algorithm::Sha256, Algorithm::Md5], ..Config::new("pbx.example") });
    let fields = world.server.challenge(world.now, SOURCE, false);
    assert_eq!(fields.len(), 2);
    assert!(fields[0].contains("algorithm=SHA-256") && fields[1].contains("algorithm=MD5"), "{fields:?}");
    let md5 = world.answer_to(&fields[1..], "100", "right", &mut NonceUse::default());
    let sha = world.answer_to(&fields, "100", "right", &mut NonceUse::default());
    assert!(sha.contains("SHA-256") && md5.contains("MD5"));
    assert_eq!(world.judge(&sha), "verified");
    assert_eq!(world.judge(&md5), "stale", "the same nonce and count");
    assert_eq!(World::default().server.challenge(world.now, SOURCE, false).len(), 1);
}

/// RFC 8760 sections 2.1 and 2.4: three algorithms, of which the topmost that is known is answered.
#[test]
fn rfc8760_sha_512_256_is_answered_and_verified_where_its_secret_is_known() {
    let mut world = World::new(Config { algorithms: Algorithm::ALL.to_vec(), ..Config::new("pbx.example") });
    let fields = world.server.challenge(world.now, SOURCE, false);
    assert!(fields[0].contains("algorithm=SHA-512-256"), "{fields:?}");
    let answer = world.answer_to(&fields, "100", "right", &mut NonceUse::default());
    assert!(answer.contains("algorithm=SHA-512-256"), "{answer}");
    let Verdict::Claims(claim) = world.examine(&answer) else { panic!("{answer}") };
    let secrets = Secrets::new("100", "pbx.example", "right");
    let older = Secrets { sha512_256: None, ..secrets.clone() };
    assert!(!world.server.verify(world.now, &claim, Some(&older)), "an account made before it was kept");
    assert!(world.server.verify(world.now, &claim, Some(&secrets)));
}

#[test]
fn a_realm_cannot_break_out_of_its_quotes() {
    let mut world = World::new(Config::new("a\"b\\c\r\nd"));
    assert_eq!(world.server.realm(), "abcd");
    assert!(world.server.challenge(world.now, SOURCE, false)[0].contains("realm=\"abcd\""));
}

#[test]
fn more_nonces_than_are_tracked_make_the_oldest_stale() {
    let mut world = World::default();
    world.server =
        Authenticator::with_tracked_max(Config::new("pbx.example"), Mac::from_key([1; 16]), &mut Rng::from_u64(5), 4);
    let mut answers = Vec::new();
    for _ in 0..5 {
        world.now = world.now + Duration::from_millis(1);
        answers.push(world.answer("100", "right"));
    }
    for credentials in &answers {
        assert_eq!(world.judge(credentials), "verified");
    }
    assert_eq!(world.judge(&answers[0]), "stale", "forgotten, and still no replay");
}

#[test]
fn a_calendar_put_back_locks_nobody_out() {
    let mut world = World::default();
    world.server =
        Authenticator::with_tracked_max(Config::new("pbx.example"), Mac::from_key([1; 16]), &mut Rng::from_u64(5), 1);
    let early = world.answer("100", "right");
    for _ in 0..2 {
        // The second makes the engine forget the first.
        let credentials = world.answer("100", "right");
        assert_eq!(world.judge(&credentials), "verified");
        world.now = world.now + Duration::from_millis(1);
    }
    world.now.wall -= Duration::from_secs(3600);
    assert_eq!(world.judge(&early), "stale");
    let credentials = world.answer("100", "right");
    assert_eq!(world.judge(&credentials), "verified");
}
