//! HTTP: connections, the table of routes, bodies, pages of other origins, TLS.

pub mod answer;
pub mod body;
pub mod cors;
pub mod routes;
pub mod server;
pub mod tls;
