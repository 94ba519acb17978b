//! A whole SIP exchange as one value
