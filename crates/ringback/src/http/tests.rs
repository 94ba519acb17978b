use super::exposition::strict;
use super::port::{BODY_BYTES_MAX, CONNECTIONS_MAX, HEAD_BYTES_MAX, HEADERS_MAX, Limits};
use super::{Numbers, Port, Status, router};
use axum::routing::post;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// Limits that no test runs into by chance.
const AMPLE: Limits = Limits { head_time: PATIENCE.saturating_mul(3), connection_time: PATIENCE.saturating_mul(3) };

/// A port that is served on a thread of its own, until it is dropped.
struct Served {
    address: SocketAddr,
    status: Arc<Mutex<Status>>,
    _stop: oneshot::Sender<()>,
}

impl Served {
    fn new(limits: Limits) -> Served {
        let status = Arc::<Mutex<Status>>::default();
        let (shown, (told, address), (stop, stopped)) = (status.clone(), channel(), oneshot::channel::<()>());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let port = Port::open_with("127.0.0.1:0".parse().unwrap(), limits).unwrap();
                told.send(port.address().unwrap()).unwrap();
                let pages = router(move || shown.lock().unwrap().clone());
                // As pages of a later day may be: one that reads what it is sent, and one that has much to say.
                let pages = pages
                    .route("/eats", post(async |body: String| body.len().to_string()))
                    .route("/talks", post(async || vec![b'x'; 64 << 20]));
                tokio::select! {
                    () = port.serve(pages) => {}
                    _ = stopped => {}
                }
            });
        });
        Served { address: address.recv().unwrap(), status, _stop: stop }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends all of a request, and returns all of the answer.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        // It may be refused before all of it has been taken.
        let _ = stream.write_all(request.as_bytes());
        rest(&mut stream)
    }

    fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask(&format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (code(head), body.to_owned())
    }
}

fn code(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

/// What comes until the other end closes or resets.
fn rest(stream: &mut TcpStream) -> String {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(read) => bytes.extend_from_slice(&part[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("neither an answer nor an end: {error}"),
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_healthy_exchange_is_healthy_and_ready() {
    let served = Served::new(AMPLE);
    assert_eq!(served.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(served.get("/readyz"), (200, "ok\n".to_owned()));
    assert!(served.get("/").1.contains("/metrics"));
    assert_eq!(served.get("/nowhere").0, 404);
    assert_eq!(code(&served.ask("POST /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n")), 405);
}

#[test]
fn why_it_is_not_ready_is_said_in_a_sentence_each() {
    let served = Served::new(AMPLE);
    let why = ["Changes cannot be kept: the disk is full.", "It is draining: 3 calls are under way."];
    served.status.lock().unwrap().unready = why.map(str::to_owned).to_vec();
    assert_eq!(served.get("/healthz").0, 200);
    assert_eq!(served.get("/readyz"), (503, why.join("\n") + "\n"));
    *served.status.lock().unwrap() = Status { failed: vec!["A driver has failed.".to_owned()], ..Status::default() };
    assert_eq!(served.get("/healthz"), (503, "A driver has failed.\n".to_owned()));
    assert_eq!(served.get("/readyz").0, 503);
    let metrics = strict::read(&served.get("/metrics").1).unwrap();
    assert!(metrics.contains(&("ringback_ready".to_owned(), 0.0)));
}

#[test]
fn metrics_are_read_anew_for_each_request() {
    let served = Served::new(AMPLE);
    let answer = served.ask("GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{answer}");
    served.status.lock().unwrap().numbers = Numbers { bindings: 42, ..Numbers::default() };
    let metrics = strict::read(&served.get("/metrics").1).unwrap();
    assert!(metrics.contains(&("ringback_bindings".to_owned(), 42.0)));
}

#[test]
fn a_connection_carries_one_request() {
    let served = Served::new(AMPLE);
    let request = "GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: keep-alive\r\n\r\n";
    let answer = served.ask(&request.repeat(2));
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[test]
fn who_sends_a_byte_at_a_time_is_cut() {
    let head_time = Duration::from_millis(300);
    let served = Served::new(Limits { head_time, ..AMPLE });
    let mut stream = served.connect();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let started = Instant::now();
    // Each byte comes well within the limit; all of them do not.
    for byte in b"GET /healthz HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
        let sent = stream.write_all(&[*byte]);
        let over = match stream.read(&mut [0; 512]) {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        if sent.is_err() || over {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "it is never cut");
    }
    assert!(started.elapsed() >= head_time);
}

#[test]
fn who_says_nothing_is_cut() {
    let served = Served::new(Limits { head_time: Duration::from_millis(200), ..AMPLE });
    let started = Instant::now();
    let answer = rest(&mut served.connect());
    assert!(!answer.contains("200"), "{answer}");
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[test]
fn who_does_not_read_or_does_not_end_its_body_is_cut() {
    let served = Served::new(Limits { connection_time: Duration::from_millis(300), ..AMPLE });
    // More than the kernel holds for us stays unsent, and its end never comes.
    let mut deaf = served.connect();
    deaf.write_all(b"POST /talks HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut slow = served.connect();
    slow.write_all(b"POST /eats HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    assert_eq!(rest(&mut slow), "");
    let answer = rest(&mut deaf);
    assert!(answer.len() < 64 << 20, "all of it came");
}

#[test]
fn dawdlers_cannot_keep_others_out() {
    let served = Served::new(AMPLE);
    let mut dawdlers: Vec<TcpStream> = (0..CONNECTIONS_MAX).map(|_| served.connect()).collect();
    for dawdler in &mut dawdlers {
        dawdler.write_all(b"GET /").unwrap();
    }
    assert_eq!(served.get("/healthz").0, 200);
    // Whoever was there longest had to go; all others are still there.
    assert_eq!(rest(&mut dawdlers[0]), "");
    let last = dawdlers.last_mut().unwrap();
    last.write_all(b"healthz HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    assert_eq!(code(&rest(last)), 200);
}

#[test]
fn heads_have_limits() {
    let served = Served::new(AMPLE);
    let with = |fields: &str| code(&served.ask(&format!("GET /healthz HTTP/1.1\r\nHost: here\r\n{fields}\r\n")));
    assert_eq!(with(&format!("X: {}\r\n", "x".repeat(HEAD_BYTES_MAX / 2))), 200);
    assert_eq!(with(&format!("X: {}\r\n", "x".repeat(HEAD_BYTES_MAX))), 431);
    assert_eq!(with(&"X: x\r\n".repeat(HEADERS_MAX - 1)), 200);
    assert_eq!(with(&"X: x\r\n".repeat(HEADERS_MAX)), 431);
}

#[test]
fn bodies_have_a_limit_whether_they_say_how_long_they_are_or_not() {
    let served = Served::new(AMPLE);
    let post = |path: &str, fields: &str, body: &str| {
        served.ask(&format!("POST {path} HTTP/1.1\r\nHost: here\r\n{fields}\r\n\r\n{body}"))
    };
    let (fits, long) = ("x".repeat(BODY_BYTES_MAX), "x".repeat(BODY_BYTES_MAX + 1));
    let said = |body: &str| post("/eats", &format!("Content-Length: {}", body.len()), body);
    let chunked =
        |body: &str| post("/eats", "Transfer-Encoding: chunked", &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
    for send in [&said as &dyn Fn(&str) -> String, &chunked] {
        assert!(send(&fits).ends_with(&format!("\r\n\r\n{BODY_BYTES_MAX}")));
        assert_eq!(code(&send(&long)), 413);
    }
    assert_eq!(code(&post("/metrics", &format!("Content-Length: {}", long.len()), "")), 413);
}

#[test]
fn a_port_that_nobody_chose_is_left_out_when_it_is_taken() {
    let served = Served::new(AMPLE);
    let listen =
        |http_optional| crate::config::Listen { http: vec![served.address], http_optional, ..Default::default() };
    let (ports, left_out) = super::open(&listen(true)).unwrap_or_else(|failure| panic!("{}", failure.text));
    assert!(ports.is_empty());
    assert!(left_out[0].contains(&served.address.to_string()), "{left_out:?}");
    assert!(super::open(&listen(false)).is_err());
}

#[test]
fn what_is_no_http_gets_no_page() {
    let served = Served::new(AMPLE);
    for nonsense in ["REGISTER sip:a SIP/2.0\r\n\r\n", "\0\u{1}\u{2}\r\n\r\n", "GET /healthz\r\n\r\n"] {
        assert!(!served.ask(nonsense).contains("200 OK"), "{nonsense:?}");
    }
}
