//! One command, a whole telephone exchange
fn main() {}
