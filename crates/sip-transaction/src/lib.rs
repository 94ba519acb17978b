//! The transaction layer of SIP (RFC 3261 section 17, RFC 6026, RFC 4320, RFC 3581)
