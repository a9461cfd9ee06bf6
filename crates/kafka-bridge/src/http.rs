//! HTTP: connections, the table of routes, bodies, pages of other origins, TLS.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod cors;
pub(crate) mod progress;
pub(crate) mod routes;
pub(crate) mod server;
pub(crate) mod tls;
pub(crate) mod wire;
