//! SIP messages as bytes with known positions (RFC 3261 sections 7, 19, 20, 25)
