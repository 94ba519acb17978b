//! The exchange and the phones as processes: the whole way, over real loopback sockets.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a failure fails the test; above the purity line

mod support;

use serde_json::Value;
use std::io::BufRead;
use support::{Scratch, path};

#[test]
fn demo_hears_both_ends() {
    let scratch = Scratch::new("demo");
    let mut demo = scratch.start(&["demo", "--seconds", "2"]);
    let methods: Vec<String> = (0..4).map(|_| demo.event("message")["what"].as_str().unwrap().to_owned()).collect();
    assert_eq!(methods, ["REGISTER", "401 Unauthorized", "REGISTER", "200 OK"]);
    let result = demo.event("result");
    assert_eq!((demo.exit_code(), &result["ok"]), (0, &Value::Bool(true)), "{result}");
    for end in result["ends"].as_array().unwrap() {
        assert!(end["mos"].as_f64().unwrap() >= 4.0 && end["similarity"].as_f64().unwrap() > 0.9, "{end}");
        assert_eq!(end["lost"], 0, "{end}");
    }
}

#[test]
fn two_phones_hear_each_other_through_the_exchange() {
    let scratch = Scratch::new("call");
    let (exchange, address, [password_100, password_101]) = scratch.exchange();
    for transport in ["udp", "tcp"] {
        let (heard_100, heard_101) = (scratch.0.join("100.wav"), scratch.0.join("101.wav"));
        let account = format!("101:{password_101}@{address}");
        let mut callee = scratch.start(&[
            "answer",
            "--as",
            &account,
            "--transport",
            transport,
            "--bind",
            "127.0.0.1",
            "--calls",
            "1",
            "--play",
            "tone:880",
            "--record",
            path(&heard_101),
        ]);
        callee.event("registered");
        let mut bindings = scratch.start(&["reg", "ls"]);
        let mut binding = String::new();
        bindings.out.read_line(&mut binding).unwrap();
        assert!(bindings.exit_code() == 0 && binding.contains(&format!("\"transport\":\"{transport}\"")), "{binding}");
        let account = format!("100:{password_100}@{address}");
        let mut caller = scratch.start(&[
            "call",
            "101",
            "--as",
            &account,
            "--transport",
            transport,
            "--bind",
            "127.0.0.1",
            "--duration",
            "1.5",
            "--play",
            "tone:440",
            "--record",
            path(&heard_100),
            "--dtmf",
            "7",
        ]);
        caller.event("answered");
        assert_eq!(callee.event("incoming")["from"], "sip:100@127.0.0.1");
        assert_eq!(callee.event("dtmf")["digit"], "7");
        for phone in [&mut caller, &mut callee] {
            let media = phone.event("media");
            assert!(media["mos"].as_f64().unwrap() >= 4.0 && media["lost"] == 0, "{media}");
            assert_eq!(phone.exit_code(), 0);
        }
        for (file, hz) in [(&heard_100, 880.0), (&heard_101, 440.0)] {
            let samples: Vec<i16> = hound::WavReader::open(file).unwrap().samples().map(Result::unwrap).collect();
            assert!(samples.len() > 8000 && media::compare::goertzel(&samples, hz) > 0.8, "{}", file.display());
        }
    }
    let mut exchange = exchange;
    exchange.signal("-TERM");
    assert_eq!(exchange.exit_code(), 0);
}

#[test]
fn answers_decide_the_exit_code() {
    let scratch = Scratch::new("codes");
    let (mut exchange, address, [password, _]) = scratch.exchange();
    let code = |arguments: &[&str]| {
        let mut process = scratch.start(arguments);
        (process.exit_code(), process.complaints())
    };
    let (right, wrong) = (format!("100:{password}@{address}"), format!("100:wrong@{address}"));
    let nobody = format!("nobody:{password}@{address}");
    let server = format!("sip:{address}");
    for (arguments, expected) in [
        (&["register", "--once", "--as", &right][..], 0),
        (&["register", "--once", "--as", &wrong], 1),
        (&["register", "--once", "--as", &nobody], 1),
        (&["answer", "--bind", "127.0.0.1", "--as", &wrong], 1),
        (&["call", "102", "--as", &right], 1),
        (&["options", &server], 0),
        (&["options", "sip:no-such-host.invalid"], 3),
        (&["options", "sip:127.0.0.1:1"], 3),
        (&["register", "--once"], 2),
        (&["call", &server, "--transport", "sctp"], 2),
        (&["call", &server, "--srtp", "sdes"], 2),
        (&["call", &server, "--play", "no-such-file.wav"], 2),
        (&["call", &server, "--codec", "opus"], 2),
        (&["load", &address, "-m", "5", "-r", "50", "--as", &right], 0),
        (&["load", &address, "-m", "5", "-r", "50", "--as", &wrong], 1),
        (&["load", "nowhere.invalid", "-m", "5"], 2),
    ] {
        let (code, said) = code(arguments);
        assert_eq!(code, expected, "{arguments:?}\n{said}");
    }
    // An account that is added now can register at once, and one that is removed cannot.
    let mut added = scratch.start(&["user", "add", "anna"]);
    let account = format!("anna:{}@{address}", added.event("added")["password"].as_str().unwrap());
    assert_eq!((added.exit_code(), code(&["register", "--once", "--as", &account]).0), (0, 0));
    assert_eq!(code(&["user", "rm", "anna"]).0, 0);
    assert_eq!(code(&["register", "--once", "--as", &account]).0, 1);
    // A second exchange on the folder, and one on the port, are told who was first.
    let pid = exchange.child.id().to_string();
    let (second, said) = code(&["serve", "--set", "listen.udp=127.0.0.1:0", "--set", "listen.tcp=[]"]);
    assert!(second == 2 && said.contains("data folder") && said.contains(&pid), "{said}");
    let listen = |key: &str, address: &str| format!("{key}={address}");
    let udp = listen("listen.udp", &address);
    let (second, said) = code(&["serve", "--data", "other", "--set", &udp, "--set", "listen.tcp=[]"]);
    assert!(second == 2 && said.contains("in use by ringback") && said.contains(&pid), "{said}");
    exchange.signal("-INT");
    assert_eq!(exchange.exit_code(), 0);
    assert!(code(&["reg", "ls"]).1.contains("no exchange runs"));
    // Started again on the same folder it makes no new accounts, and knows the old ones.
    let tcp = listen("listen.tcp", &address);
    let mut exchange = scratch.start(&["serve", "--set", &listen("listen.udp", &address), "--set", &tcp]);
    assert_eq!(exchange.next()["event"], "ready");
    assert_eq!(code(&["register", "--once", "--as", &right]).0, 0);
}

#[test]
fn an_interrupted_call_is_cancelled_and_a_refused_one_is_negative() {
    let scratch = Scratch::new("interrupt");
    for (flag, status) in [("--after=60", ""), ("--reject=603", "603")] {
        let mut callee = scratch.start(&["answer", "--bind", "127.0.0.1:0", flag]);
        let ready = callee.event("ready");
        let uri = ready["listen"][0].as_str().unwrap().replace("udp:", "sip:bob@");
        let mut caller = scratch.start(&["call", &uri, "--bind", "127.0.0.1"]);
        if status.is_empty() {
            caller.event("ringing");
            caller.signal("-INT");
            assert_eq!(callee.event("ended")["why"], "peer_cancelled");
        } else {
            assert_eq!(caller.event("failed")["status"].to_string(), status);
        }
        assert_eq!(caller.exit_code(), 1);
        callee.signal("-TERM");
        assert_eq!(callee.exit_code(), 0);
    }
}

#[test]
fn a_file_is_played_to_its_end_and_then_the_call_is_over() {
    let scratch = Scratch::new("play");
    let (tone, heard) = (scratch.0.join("tone.wav"), scratch.0.join("heard.wav"));
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&tone, spec).unwrap();
    for sample in 0..2 * 16_000 * 2 {
        let turns = f64::from(sample / 2) * 500.0 / 16_000.0;
        writer.write_sample(((turns * std::f64::consts::TAU).sin() * 8000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
    let mut callee = scratch.start(&["answer", "--bind", "127.0.0.1:0", "--calls", "2", "--record", path(&heard)]);
    let uri = callee.event("ready")["listen"][0].as_str().unwrap().replace("udp:", "sip:bob@");
    for file in [heard.clone(), scratch.0.join("heard-2.wav")] {
        let mut caller =
            scratch.start(&["call", &uri, "--bind", "127.0.0.1", "--play", path(&tone), "--codec", "pcma"]);
        assert_eq!(caller.event("answered")["codec"], "PCMA");
        assert_eq!((caller.event("ended")["why"].as_str(), caller.exit_code()), (Some("hung_up"), 0));
        callee.event("ended");
        let samples: Vec<i16> = hound::WavReader::open(&file).unwrap().samples().map(Result::unwrap).collect();
        let loud = samples.chunks(80).filter(|piece| piece.iter().any(|sample| sample.unsigned_abs() > 4000)).count();
        assert!((170..=202).contains(&loud), "2 s were played, {loud} pieces of 10 ms heard");
        assert!(media::compare::goertzel(&samples, 500.0) > 0.8);
    }
    assert_eq!(callee.exit_code(), 0);
}
