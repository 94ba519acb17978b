use super::exposition::CONTENT_TYPE;
use super::metrics::{self, Numbers};
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE as CONTENT_TYPE_HEADER};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

const TEXT: &str = "text/plain; charset=utf-8";

const WELCOME: &str = concat!(
    "Ringback ",
    env!("CARGO_PKG_VERSION"),
    ", a telephone exchange.\n\n",
    "/metrics   what it counts, for Prometheus\n",
    "/healthz   whether all of it runs\n",
    "/readyz    whether new calls are welcome\n",
);

/// What can be said about the exchange at this moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    /// Which of its parts have failed for good, each in a sentence: only a restart helps.
    pub(crate) failed: Vec<String>,
    /// Why new calls are not welcome, each in a sentence: this may pass.
    pub(crate) unready: Vec<String>,
    pub(crate) numbers: Numbers,
}

/// The pages that monitors ask for. `read` is called on the runtime that serves them, so that it waits for nothing.
pub(crate) fn router(read: impl Fn() -> Status + Send + Sync + 'static) -> Router {
    let read: Arc<dyn Fn() -> Status + Send + Sync> = Arc::new(read);
    let [for_metrics, for_health, for_readiness] = [read.clone(), read.clone(), read];
    Router::new()
        .route("/", get(async || page(StatusCode::OK, TEXT, WELCOME.to_owned())))
        .route("/metrics", get(async move || metrics(&for_metrics())))
        .route("/healthz", get(async move || verdict(&for_health().failed)))
        .route("/readyz", get(async move || verdict(&unready(&for_readiness()))))
        .fallback(async || page(StatusCode::NOT_FOUND, TEXT, "no such page\n".to_owned()))
}

fn metrics(status: &Status) -> Response {
    let ready = unready(status).is_empty();
    page(StatusCode::OK, CONTENT_TYPE, metrics::text(&status.numbers, ready))
}

/// What has failed takes no calls, either.
fn unready(status: &Status) -> Vec<String> {
    status.failed.iter().chain(&status.unready).cloned().collect()
}

fn verdict(reasons: &[String]) -> Response {
    match reasons {
        [] => page(StatusCode::OK, TEXT, "ok\n".to_owned()),
        _ => page(StatusCode::SERVICE_UNAVAILABLE, TEXT, reasons.join("\n") + "\n"),
    }
}

fn page(status: StatusCode, content_type: &'static str, text: String) -> Response {
    (status, [(CONTENT_TYPE_HEADER, content_type), (CACHE_CONTROL, "no-store")], text).into_response()
}
