//! What the benchmarks share. Each lives in `benches/`; `cargo bench --manifest-path bench/Cargo.toml` runs them all.

/// An INVITE as a proxy gets it from another: 1160 bytes, 19 header fields, a session description of 291 bytes.
pub const INVITE: &[u8; 1160] = include_bytes!("../invite.sip");
