//! Ringback's one tool.
fn main() {}
