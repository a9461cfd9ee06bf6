//! The world in which operators are tested: a namespace in a real API server that has the definitions, an operator in a
//! runtime of its own, which can be ended like a process, and waiting for what it does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test stops at the first surprise"
)]

pub mod behind;
pub mod conditions;
pub mod entity_operator_rights;
mod held_watch;
mod operator;
mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use test_support::ApiServer;
use tokio::sync::OnceCell;

pub use held_watch::HeldWatch;
pub use operator::{Running, UnderTest};
pub use world::World;

/// Generous, because the machine may be compiling: above the longest pause after failed passes (a minute), and below the time between
/// two rounds over everything (two minutes unless a test sets it), which would hide a change that no watch told of.
pub const DEADLINE: Duration = Duration::from_secs(100);

/// Servers that have their definitions, by address.
static FURNISHED: Mutex<BTreeMap<String, Arc<OnceCell<()>>>> = Mutex::new(BTreeMap::new());

/// The definitions of all resources.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    api::crds::all().unwrap().into_iter().map(|file| file.crd).collect()
}

/// Gives a server these definitions, unless it has some.
pub async fn install(server: &ApiServer, crds: Vec<CustomResourceDefinition>) {
    let furnished = Arc::clone(FURNISHED.lock().unwrap().entry(server.url()).or_default());
    furnished.get_or_init(|| async { server.install_crds(&crds).await.unwrap() }).await;
}

/// A server of one's own with the definitions, which may be stopped. It is killed at the end of the test process.
pub async fn own_server() -> &'static ApiServer {
    let server: &'static ApiServer = Box::leak(Box::new(ApiServer::start().await.unwrap()));
    install(server, definitions()).await;
    server
}

/// The server that tests share, with the definitions.
pub async fn shared_server() -> &'static ApiServer {
    let server = ApiServer::shared().await.unwrap();
    install(server, definitions()).await;
    server
}
