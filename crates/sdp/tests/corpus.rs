//! Session descriptions of other stacks: none may crash us, and what is read must survive being written and read again.
#![allow(clippy::disallowed_methods)] // a test finds its material through the environment

use std::path::{Path, PathBuf};

use sdp::{LocalCapabilities, SessionDescription};

fn corpus() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    std::env::var_os("RINGBACK_CORPUS").map(PathBuf::from).or(Some(own)).map(|c| c.join("sdp")).filter(|c| c.is_dir())
}

#[test]
fn descriptions_of_others() {
    let Some(corpus) = corpus() else {
        println!("no corpus: 0 cases");
        return;
    };
    let (mut read, mut refused, mut answered) = (0, 0, 0);
    let local = LocalCapabilities::new(1, "192.0.2.1:10000".parse().expect("an address"));
    for folder in std::fs::read_dir(corpus).expect("the corpus can be listed").flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            if file.path().extension().is_none_or(|e| e != "sdp") {
                continue;
            }
            let bytes = std::fs::read(file.path()).expect("the file can be read");
            match SessionDescription::parse(&bytes) {
                Ok(description) => {
                    read += 1;
                    let again = SessionDescription::parse(description.to_string().as_bytes());
                    let again = again.expect("what we write we can read");
                    assert_eq!(again.media, description.media, "{:?}", file.path());
                    assert_eq!(again.to_string(), description.to_string(), "{:?}", file.path());
                    answered += usize::from(sdp::answer(&description, &local, None).is_ok());
                }
                Err(error) => {
                    println!("{}: {error}", file.path().display());
                    refused += 1;
                }
            }
        }
    }
    println!("{read} read, {refused} refused, {answered} answered");
    assert!(read > 0, "the corpus holds descriptions");
}
