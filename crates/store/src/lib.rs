//! What must survive: accounts and bindings
