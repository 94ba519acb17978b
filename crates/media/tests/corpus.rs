//! G.711 against the ITU's own sequences (G.191): a sweep over all 65536 samples to A-law and back.
#![allow(clippy::disallowed_methods)] // a test finds its material through the environment

use std::path::{Path, PathBuf};

use sdp::Codec;

fn corpus() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let given = std::env::var_os("RINGBACK_CORPUS").map(PathBuf::from);
    given.or(Some(own)).map(|c| c.join("codec/g711")).filter(|c| c.is_dir())
}

/// 16-bit words, least significant byte first.
fn words(file: &Path) -> Vec<i16> {
    let bytes = std::fs::read(file).expect("the sequence can be read");
    bytes.as_chunks::<2>().0.iter().map(|w| i16::from_le_bytes(*w)).collect()
}

#[test]
fn the_itu_sweep_through_a_law_is_bit_exact() {
    let Some(folder) = corpus() else {
        println!("no corpus: 0 cases");
        return;
    };
    let source = words(&folder.join("sweep.src"));
    let encoded = words(&folder.join("sweep-r.a"));
    let decoded = words(&folder.join("sweep-r.rea"));
    let mut bytes = Vec::new();
    media::g711::encode(Codec::Pcma, &source, &mut bytes);
    let expected: Vec<u8> = encoded.iter().map(|w| *w as u8).collect();
    let wrong = bytes.iter().zip(&expected).filter(|(ours, itu)| ours != itu).count();
    assert_eq!((wrong, bytes.len()), (0, expected.len()));
    let back: Vec<i16> = media::g711::decode(Codec::Pcma, &bytes).collect();
    assert!(back == decoded, "decoding differs from the ITU's");
    println!("{} samples encoded and decoded", source.len());
    assert_eq!(source.len(), 65536);
}
