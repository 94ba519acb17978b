//! Sockets and the per-core driver: the shell around the engines
