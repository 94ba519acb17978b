//! User agents: registrations and calls (RFC 3261 sections 8 to 15)
