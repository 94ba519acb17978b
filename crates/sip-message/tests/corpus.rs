//! Other people's torture messages (`RINGBACK_CORPUS`, or `../shared/corpus` beside the checkout), when they are there.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads its environment and fails by panicking

use serde_json::Value;
use std::path::PathBuf;

fn corpus() -> Option<PathBuf> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus"));
    std::env::var("RINGBACK_CORPUS").map(PathBuf::from).ok().or(Some(beside)).filter(|path| path.is_dir())
}

#[test]
fn torture_messages_get_the_verdict_of_their_rfc() {
    let Some(corpus) = corpus() else { return println!("0 cases: no corpus here") };
    let index = std::fs::read_to_string(corpus.join("sip-torture/index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let mut wrong = Vec::new();
    let mut ran = 0;
    for case in index.as_array().unwrap() {
        let class = case["class"].as_str().unwrap();
        let bytes = std::fs::read(corpus.join("sip-torture").join(case["file"].as_str().unwrap())).unwrap();
        let verdict = sip_message::inspect(&bytes);
        let expected = case["expect"].as_str().unwrap();
        let agrees = match class {
            "valid" => verdict.valid,
            "invalid" => !verdict.valid && verdict.response == Some(expected[..3].parse().unwrap()),
            "app" if expected.starts_with("4") => {
                verdict.response.is_none_or(|status| expected.starts_with(&status.to_string()))
            }
            _ => true,
        };
        if !agrees {
            wrong.push(format!("{} ({class}, {expected}): {verdict:?}", case["name"]));
        }
        ran += 1;
    }
    println!("{ran} cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
