//! A whole network in virtual time, for tests
