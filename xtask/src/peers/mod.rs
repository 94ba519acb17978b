//! The programs that the tests run against, one file each.

pub(crate) mod baresip;
pub(crate) mod browser;
pub(crate) mod dnsmasq;
pub(crate) mod http;
pub(crate) mod kamailio;
pub(crate) mod raw;
pub(crate) mod ringback;
pub(crate) mod sip;
pub(crate) mod sipp;
pub(crate) mod spoof;
pub(crate) mod strace;
pub(crate) mod tls;

/// The password of every account in these tests.
pub(crate) const PASSWORD: &str = "secret";
/// The accounts that every exchange under test knows.
pub(crate) const USERS: [&str; 4] = ["alice", "bob", "carol", "dave"];
