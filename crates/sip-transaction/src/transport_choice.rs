/// The largest request that goes out in a datagram when nobody knows the path's MTU.
const DATAGRAM_BYTES_MAX: usize = 1300;

/// Whether a request of this many bytes must go over a congestion-controlled transport such as TCP, although it was
/// meant for UDP (RFC 3261 section 18.1.1).
pub fn prefers_stream(bytes_len: usize) -> bool {
    bytes_len > DATAGRAM_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::prefers_stream;

    #[test]
    fn larger_than_1300_bytes_goes_over_a_stream() {
        assert!(!prefers_stream(1300));
        assert!(prefers_stream(1301));
    }
}
