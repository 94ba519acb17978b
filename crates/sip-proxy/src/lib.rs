//! The transaction-stateful proxy (RFC 3261 section 16)
