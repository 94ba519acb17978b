//! Shows that coverage reaches libFuzzer at all: without feedback from the comparisons nobody guesses this.
//! `cargo xtask fuzz` runs it first and goes on only when it has been found.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let guessed = data.len() == 12 && &data[..8] == b"INVITE s" && data[8] ^ 0x55 == data[9] && data[10] == b'?';
    assert!(!guessed, "coverage guides the search");
});
