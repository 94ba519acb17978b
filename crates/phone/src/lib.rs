//! A whole telephone as one value
