//! The definitions in a real API server.

use api::crds::CrdFile;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams};
use kube::{Api, Client};
use serde_json::Value;
use std::path::Path;
use test_support::ApiServer;

/// A server with all definitions, applied server-side as an installation does.
pub(crate) async fn server() -> &'static ApiServer {
    let server = ApiServer::shared().await.unwrap();
    let crds: Vec<_> = definitions().into_iter().map(|file| file.crd).collect();
    server.install_crds(&crds).await.unwrap();
    server
}

/// All definitions.
pub(crate) fn definitions() -> Vec<CrdFile> {
    api::crds::all().unwrap()
}

/// A manifest below `tests`.
pub(crate) fn manifest(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path);
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The endpoint for the kind of a manifest.
pub(crate) fn endpoint(client: Client, namespace: &str, manifest: &Value) -> Api<DynamicObject> {
    let (group, version) = manifest["apiVersion"].as_str().unwrap().split_once('/').unwrap();
    endpoint_of(client, namespace, group, version, manifest["kind"].as_str().unwrap())
}

/// The endpoint for a kind in a version.
pub(crate) fn endpoint_of(
    client: Client,
    namespace: &str,
    group: &str,
    version: &str,
    kind: &str,
) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(client, namespace, &resource)
}

/// Creates a manifest; the answer is the error message if there is one.
pub(crate) async fn create(client: &Client, namespace: &str, manifest: &Value) -> Result<Value, String> {
    let object: DynamicObject = serde_json::from_value(manifest.clone()).unwrap();
    match endpoint(client.clone(), namespace, manifest).create(&PostParams::default(), &object).await {
        Ok(created) => Ok(serde_json::to_value(created).unwrap()),
        Err(error) => Err(error.to_string()),
    }
}
