//! The local HTTP port: what monitors ask (`/metrics`, `/healthz`, `/readyz`), and where other pages can be mounted.
//!
//! What it does not do: find out anything. A [`Status`] is read anew for each request, by whoever knows.

mod exposition;
mod metrics;
mod pages;
mod port;
#[cfg(test)]
mod tests;

pub(crate) use metrics::Numbers;
pub(crate) use pages::{Status, router};
pub(crate) use port::{Port, open};
