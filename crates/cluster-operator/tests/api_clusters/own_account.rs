//! In a pod the operator is who its service account says, at the API server of the pod: whoever may give its container variables and
//! files leads its account nowhere else.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use test_support::{ApiServer, wait};
use tokio::net::TcpListener;

use crate::process::Process;
use crate::rights::ACCOUNT;
use crate::world::{DEADLINE, World, kafka, pool};

/// Counts who connects to the address, and answers nobody.
async fn counting() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (address, count)
}

/// Writes the files that a pod has of its service account.
fn write_account(folder: &Path, kubeconfig: &Value, namespace: &str) {
    let ca = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"].as_str().unwrap();
    std::fs::write(folder.join("ca.crt"), STANDARD.decode(ca).unwrap()).unwrap();
    std::fs::write(folder.join("token"), kubeconfig["users"][0]["user"]["token"].as_str().unwrap()).unwrap();
    std::fs::write(folder.join("namespace"), namespace).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubeconfig_leads_the_account_of_a_pod_nowhere_else() {
    let world = World::without_operator(ApiServer::shared().await.unwrap(), "own-account").await;
    let (elsewhere, connections) = counting().await;
    let file = world.server.service_account_kubeconfig_file(&world.namespace, ACCOUNT).await.unwrap();
    let mut kubeconfig: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let account = tempfile::tempdir().unwrap();
    write_account(account.path(), &kubeconfig, &world.namespace);
    let logs = tempfile::tempdir().unwrap();
    let foreign = logs.path().join("kubeconfig");
    kubeconfig["clusters"][0]["cluster"]["server"] = format!("https://{elsewhere}").into();
    std::fs::write(&foreign, kubeconfig.to_string()).unwrap();
    let url = world.server.url();
    let (host, port) = url.strip_prefix("https://").unwrap().rsplit_once(':').unwrap();
    let given = format!("KUBECONFIG={}", foreign.display());

    let of_pod =
        [given.clone(), format!("KUBERNETES_SERVICE_HOST={host}"), format!("KUBERNETES_SERVICE_PORT={port}")];
    let log = logs.path().join("operator.log");
    let operator = Process::start_in_pod(&world, account.path(), &of_pod, &log).await;
    world.apply(&pool("c", "p", 1)).await;
    let mut cluster = kafka("c");
    cluster["spec"]["kafka"]["config"] = serde_json::json!({});
    world.apply(&cluster).await;
    world.exists("Pod", "c-p-0").await;
    operator.is_well("a cluster");
    assert_eq!(connections.load(Ordering::Relaxed), 0, "the token went elsewhere");
    drop(operator);

    // Outside of a pod the same file is what counts.
    let log = logs.path().join("outside.log");
    let _operator = Process::start_in_pod(&world, account.path(), &[given], &log).await;
    let is_asked = || async { (connections.load(Ordering::Relaxed) > 0).then_some(()) };
    wait::until(DEADLINE, "the other address is asked", is_asked).await.unwrap();
}
