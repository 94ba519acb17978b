use super::{ANSWERS_MAX, Challenge, Credentials, NonceUse, Password, Qop, answer};
use crate::{Algorithm, Kind, Secrets};
use bytes::Bytes;
use engine::Rng;
use sip_message::{AuthValue, HeaderName, Message};

struct Vector<'a> {
    algorithm: Algorithm,
    user: &'a str,
    realm: &'a str,
    password: &'a str,
    method: &'a str,
    uri: &'a str,
    nonce: &'a str,
    qop: Option<Qop>,
    cnonce: &'a str,
    body: &'a str,
}

impl Vector<'_> {
    fn response(&self) -> String {
        let challenge = Challenge {
            kind: Kind::Www,
            realm: self.realm.to_owned(),
            nonce: self.nonce.to_owned(),
            opaque: None,
            algorithm: self.algorithm,
            algorithm_text: None,
            qop: self.qop,
            stale: false,
        };
        let credentials = Credentials::new(self.user, self.password);
        challenge
            .response(&credentials, self.method, self.uri, self.body.as_bytes(), "00000001", self.cnonce)
            .unwrap()
            .hex()
            .as_str()
            .to_owned()
    }
}

/// RFC 2617 section 3.5.
#[test]
fn the_example_of_rfc_2617() {
    let example = Vector {
        algorithm: Algorithm::Md5,
        user: "Mufasa",
        realm: "testrealm@host.com",
        password: "Circle Of Life",
        method: "GET",
        uri: "/dir/index.html",
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        qop: Some(Qop::Auth),
        cnonce: "0a4f113b",
        body: "",
    };
    assert_eq!(example.response(), "6629fae49393a05397450978507c4ef1");
    // RFC 2069 section 2.4 with its errata has no qop; recomputed: H(H(A1):nonce:H(A2)).
    assert_eq!(Vector { qop: None, ..example }.response(), "670fd8c2df070c60b045671b8b24ff02");
}

/// RFC 7616 section 3.9.1.
#[test]
fn the_examples_of_rfc_7616() {
    let example = |algorithm| Vector {
        algorithm,
        user: "Mufasa",
        realm: "http-auth@example.org",
        password: "Circle of Life",
        method: "GET",
        uri: "/dir/index.html",
        nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        qop: Some(Qop::Auth),
        cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        body: "",
    };
    assert_eq!(example(Algorithm::Md5).response(), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(
        example(Algorithm::Sha256).response(),
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    );
}

/// Every vector of the shared corpus that names an algorithm we have; the corpus lies beside the repository, not in it.
#[test]
fn the_vectors_of_the_corpus_where_it_is_there() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus/digest/digest-vectors.json");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut checked = 0;
    for vector in vectors.as_array().unwrap() {
        let field = |name: &str| vector[name].as_str().unwrap_or("");
        let Some(algorithm) = Algorithm::parse(field("alg")) else { continue };
        let vector = Vector {
            algorithm,
            user: field("user"),
            realm: field("realm"),
            password: field("pw"),
            method: field("method"),
            uri: field("uri"),
            nonce: field("nonce"),
            qop: match field("qop") {
                "auth" => Some(Qop::Auth),
                "auth-int" => Some(Qop::AuthInt),
                _ => None,
            },
            cnonce: field("cnonce"),
            body: field("body"),
        };
        assert_eq!(vector.response(), field("response"), "{}", field("name"));
        checked += 1;
    }
    assert!(checked >= 9, "{checked}");
}

fn challenge(status: u16, fields: &[&str]) -> Message {
    let name = if status == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" };
    let fields: String = fields.iter().map(|value| format!("{name}: {value}\r\n")).collect();
    let text = format!(
        "SIP/2.0 {status} Prove it\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:bob@biloxi.com>;tag=1\r\n\
         To: <sip:bob@biloxi.com>;tag=2\r\nCall-ID: a\r\nCSeq: 1 REGISTER\r\n{fields}Content-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

struct Client {
    credentials: Credentials,
    nonces: NonceUse,
    rng: Rng,
}

impl Client {
    fn new() -> Client {
        Client { credentials: Credentials::new("bob", "zanzibar"), nonces: NonceUse::default(), rng: Rng::from_u64(7) }
    }

    fn answer(&mut self, status: u16, fields: &[&str]) -> Option<(HeaderName, String)> {
        answer(
            &self.credentials,
            &challenge(status, fields),
            "REGISTER",
            "sip:biloxi.com",
            b"",
            &mut self.nonces,
            &mut self.rng,
        )
    }

    fn sign(&mut self) -> Option<(HeaderName, String)> {
        self.nonces.sign(&self.credentials, "REGISTER", "sip:biloxi.com", b"", &mut self.rng)
    }
}

fn get(answer: &Option<(HeaderName, String)>, name: &str) -> Option<String> {
    let (_, value) = answer.as_ref()?;
    AuthValue::parse(value).unwrap().get(name).map(|value| value.into_owned())
}

const FIRST: &str =
    "Digest realm=\"biloxi.com\", nonce=\"n1\", qop=\"auth,auth-int\", opaque=\"o\\\"p\", algorithm=MD5";

#[test]
fn an_answer_holds_what_the_challenge_asks_for() {
    let answer = Client::new().answer(401, &[FIRST]);
    assert_eq!(answer.as_ref().unwrap().0, HeaderName::Authorization);
    let expected = [
        ("username", "bob"),
        ("realm", "biloxi.com"),
        ("nonce", "n1"),
        ("uri", "sip:biloxi.com"),
        ("opaque", "o\"p"),
        ("qop", "auth"),
        ("nc", "00000001"),
        ("algorithm", "MD5"),
    ];
    for (name, value) in expected {
        assert_eq!(get(&answer, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(get(&answer, "cnonce").unwrap().len(), 16);
    let text = answer.unwrap().1;
    assert!(
        text.contains("qop=auth,")
            && text.contains("nc=00000001")
            && text.contains("algorithm=MD5")
            && text.contains("uri=\"sip:"),
        "{text}"
    );
    assert_eq!(Client::new().answer(407, &[FIRST]).unwrap().0, HeaderName::ProxyAuthorization);
}

#[test]
fn the_topmost_challenge_that_can_be_answered_is() {
    let sha = FIRST.replace("MD5", "SHA-256").replace("n1", "n2");
    let bearer = FIRST.replace("Digest", "Bearer");
    let strange = FIRST.replace("MD5", "SHA-999");
    let session = FIRST.replace("MD5", "MD5-sess");
    let integrity = FIRST.replace("auth,auth-int", "auth-int");
    let other_qop = FIRST.replace("auth,auth-int", "auth-x");
    let no_algorithm = FIRST.replace(", algorithm=MD5", "");
    let old = FIRST.replace(", qop=\"auth,auth-int\"", "");
    let table: [(&[&str], Option<&str>); 10] = [
        (&[FIRST, &sha], Some("MD5")),
        (&[&sha, FIRST], Some("SHA-256")),
        (&[&strange, &session, &other_qop, "Basic realm=\"x\"", "garbage", &sha, FIRST], Some("SHA-256")),
        (&["Basic realm=\"x\""], None),
        (&[&bearer], None),
        (&[&strange], None),
        (&[&session], None),
        (&[&other_qop], None),
        (&[], None),
        (&[&integrity], Some("MD5")),
    ];
    for (fields, algorithm) in table {
        let answer = Client::new().answer(401, fields);
        assert_eq!(get(&answer, "algorithm").as_deref(), algorithm, "{fields:?}");
    }
    assert_eq!(get(&Client::new().answer(401, &[&integrity]), "qop").as_deref(), Some("auth-int"));
    let answer = Client::new().answer(401, &[&no_algorithm]);
    assert_eq!((get(&answer, "algorithm"), get(&answer, "response").unwrap().len()), (None, 32));
    let answer = Client::new().answer(401, &[&old]);
    assert_eq!((get(&answer, "qop"), get(&answer, "nc"), get(&answer, "cnonce")), (None, None, None));
    assert!(Client::new().answer(200, &[FIRST]).is_none());
}

#[test]
fn the_next_request_is_signed_with_the_same_nonce_and_the_next_count() {
    let mut client = Client::new();
    assert!(client.sign().is_none());
    let first = client.answer(401, &[FIRST]);
    let second = client.sign();
    let third = client.sign();
    assert_eq!(get(&second, "nonce").as_deref(), Some("n1"));
    assert_eq!((get(&second, "nc").as_deref(), get(&third, "nc").as_deref()), (Some("00000002"), Some("00000003")));
    assert_ne!(get(&first, "cnonce"), get(&second, "cnonce"));
    assert_ne!(get(&first, "response"), get(&second, "response"));
    // The server has forgotten the nonce meanwhile, and not every server says `stale`.
    let again = client.answer(401, &[&FIRST.replace("n1", "n2")]);
    assert_eq!((get(&again, "nonce").as_deref(), get(&again, "nc").as_deref()), (Some("n2"), Some("00000001")));
    client.nonces.forget();
    assert!(client.sign().is_none());
}

#[test]
fn a_wrong_password_ends_the_matter() {
    let second = FIRST.replace("n1", "n2");
    let stale = |nonce: &str| format!("{}, stale=TRUE", FIRST.replace("n1", nonce));

    let mut client = Client::new();
    assert!(client.answer(401, &[FIRST]).is_some());
    assert!(client.answer(401, &[FIRST]).is_none(), "the same nonce again");
    assert!(client.answer(401, &[&second]).is_none(), "a new nonce, not stale");
    assert!(client.answer(401, &[&stale("n3")]).is_some(), "stale: the password may be right");
    assert!(client.sign().is_some(), "a new request");
    assert!(client.answer(401, &[&second]).is_some());

    let mut client = Client::new();
    assert!(client.answer(401, &[FIRST]).is_some());
    client.sign();
    assert!(client.answer(401, &[FIRST]).is_none(), "a good nonce was refused without stale");

    let mut client = Client::new();
    let answered = (0..20).filter(|n| client.answer(401, &[&stale(&format!("n{n}"))]).is_some()).count();
    assert_eq!(answered, ANSWERS_MAX as usize, "a server that never stops");
}

#[test]
fn a_proxy_and_the_server_behind_it_are_both_answered() {
    let mut client = Client::new();
    assert_eq!(client.answer(407, &[FIRST]).unwrap().0, HeaderName::ProxyAuthorization);
    assert_eq!(client.answer(401, &[FIRST]).unwrap().0, HeaderName::Authorization);
    assert!(client.answer(401, &[FIRST]).is_none());
}

#[test]
fn hashes_in_place_of_a_password_answer_for_their_realm_only() {
    let mut plain = Client::new();
    let mut hashed = Client::new();
    let secrets = Secrets::new("bob", "biloxi.com", "zanzibar");
    hashed.credentials.password = Password::Hashed { realm: "biloxi.com".to_owned(), secrets };
    assert_eq!(plain.answer(401, &[FIRST]), hashed.answer(401, &[FIRST]));
    assert!(hashed.answer(407, &[&FIRST.replace("biloxi.com", "elsewhere.example")]).is_none());
    assert!(!format!("{:?}", plain.credentials).contains("zanzibar"));
}

#[test]
fn a_name_with_quotes_stays_one_name() {
    let mut client = Client::new();
    client.credentials.user = "b\\o\"b".to_owned();
    let answer = client.answer(401, &[FIRST]);
    assert_eq!(get(&answer, "username").as_deref(), Some("b\\o\"b"));
}
