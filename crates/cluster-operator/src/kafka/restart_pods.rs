//! Deletes the pods that a plan wants restarted now, and says why. No policy.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::api::PropagationPolicy;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::events::{self, Events, Note, Severity};
use operator_runtime::leader::{Lapsed, Mandate};
use operator_runtime::watch::ObjectRef;
use thiserror::Error;

use planner::kafka::observed::Observed;
use planner::kafka::plan::Plan;
use planner::plan::Occasion;

/// Why a pod could not be deleted.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// Kubernetes refused it.
    #[error(transparent)]
    Kubernetes(#[from] ApplyError),
    /// Another process may lead.
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
}

/// The pods of a cluster that this process deleted, or may have deleted, by UID.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// The API server said so, and the watch may not have.
    pub known: Vec<String>,
    /// The API server did not answer: each with the name of the pod.
    pub unknown: Vec<(String, String)>,
}

/// Deletes these pods, while this process leads. Returns those that were deleted also when it ended early.
pub(crate) async fn restart(
    applier: &Applier,
    events: &Events,
    mandate: &Mandate,
    key: &ObjectRef,
    observed: &Observed,
    plan: &Plan,
    go: &[String],
) -> (Deleted, Result<(), Error>) {
    let mut deleted = Deleted::default();
    for name in go {
        let Some(pod) = observed.pods.get(name) else { continue };
        if let Err(lapsed) = mandate.check() {
            return (deleted, Err(lapsed.into()));
        }
        if let Err(error) = delete_claims(applier, key, plan, name).await {
            return (deleted, Err(error.into()));
        }
        let pod_key = ObjectRef::new(&key.namespace, name);
        match applier.delete::<Pod>(&pod_key, pod.uid().as_deref(), PropagationPolicy::Background).await {
            Ok(true) => announce(events, key, observed, plan, pod),
            // It went meanwhile, or another one has its name: its watch event is on its way.
            Ok(false) => {}
            Err(error) if error.is_conflict() => {}
            Err(error) => {
                // Without an answer it may have been deleted all the same: it counts as going until that is known.
                if error.code().is_none() {
                    deleted.unknown.extend(pod.uid().map(|uid| (uid, name.clone())));
                }
                return (deleted, Err(error.into()));
            }
        }
        deleted.known.extend(pod.uid());
    }
    (deleted, Ok(()))
}

/// Deletes the claims that go with a pod. Kubernetes keeps them until the pod is gone; so a process that is killed in between
/// loses nothing, and the next one sees that they go.
async fn delete_claims(applier: &Applier, key: &ObjectRef, plan: &Plan, pod: &str) -> Result<(), ApplyError> {
    for (name, uid) in plan.roll.claims.get(pod).into_iter().flatten() {
        let claim = ObjectRef::new(&key.namespace, name);
        let deleted = applier
            .delete::<PersistentVolumeClaim>(&claim, uid.as_deref(), PropagationPolicy::Background)
            .await;
        match deleted {
            Ok(_) => tracing::info!(%claim, pod, "claim deleted, to be made anew with its pod"),
            // Another claim has the name by now.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a pod is still there and not being deleted, past the cache.
pub(crate) async fn still_runs(applier: &Applier, pod: &ObjectRef, uid: &str) -> Result<bool, ApplyError> {
    let found = applier.metadata::<Pod>(pod).await?;
    Ok(found.is_some_and(|found| found.uid.as_deref() == Some(uid) && found.deletion_timestamp.is_none()))
}

fn announce(events: &Events, key: &ObjectRef, observed: &Observed, plan: &Plan, pod: &Pod) {
    let name = pod.name_any();
    let of_pod = plan
        .events
        .iter()
        .filter(|event| event.occasion == Occasion::Restart && event.pod.as_deref() == Some(name.as_str()));
    let mut reasons = Vec::new();
    let mut notes = "";
    for event in of_pod {
        reasons.push(event.reason.as_str());
        notes = &event.text;
        let Some(kafka) = &observed.kafka else { continue };
        events.publish(Note {
            regarding: events::reference(&**kafka),
            related: Some(events::reference(pod)),
            reason: event.reason.clone(),
            action: events::POD_RESTART.to_owned(),
            text: event.text.clone(),
            severity: Severity::Normal,
        });
    }
    tracing::info!(cluster = %key, pod = name, reasons = reasons.join(","), notes, "pod restarts");
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use operator_runtime::client;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// An API server that notes what is deleted, with the body of the request, and refuses what has `refused` in its path.
    async fn api_server(refused: &'static str) -> (kube::Client, Arc<Mutex<Vec<(String, String)>>>) {
        client::install_crypto_provider();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let noted = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&noted);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut text = String::new();
                let mut buffer = [0; 4096];
                loop {
                    let read = stream.read(&mut buffer).await.unwrap();
                    text.push_str(&String::from_utf8_lossy(&buffer[..read]));
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|line| {
                        line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
                    });
                    if body.len() >= length.unwrap_or(0) {
                        break;
                    }
                }
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                let path = head.split_whitespace().nth(1).unwrap().to_owned();
                let refuses = !refused.is_empty() && path.contains(refused);
                let (code, status) = if refuses { (500, "Failure") } else { (200, "Success") };
                let answer = serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": status,
                    "message": "", "reason": "", "code": code})
                .to_string();
                if head.starts_with("DELETE") {
                    notes.lock().unwrap().push((path, body.to_owned()));
                }
                let head = format!(
                    "HTTP/1.1 {code} x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    answer.len()
                );
                stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
            }
        });
        let config = kube::Config::new(address.parse().unwrap());
        (kube::Client::try_from(config).unwrap(), noted)
    }

    #[tokio::test]
    async fn claims_that_go_with_a_pod_go_before_it_and_the_pod_stays_when_one_does_not() {
        for (refused, deleted) in [("", 3), ("data-1", 2)] {
            let (client, noted) = api_server(refused).await;
            let events = Events::start(client.clone(), events::CLUSTER_OPERATOR, "test");
            let pod = serde_json::json!({"metadata": {"name": "c-p-0", "uid": "u"}});
            let mut observed = Observed::default();
            observed.pods.insert("c-p-0".to_owned(), Arc::new(serde_json::from_value(pod).unwrap()));
            let mut plan = Plan::default();
            let claims =
                ["data-0-c-p-0", "data-1-c-p-0"].map(|name| (name.to_owned(), Some(format!("u-{name}"))));
            plan.roll.claims.insert("c-p-0".to_owned(), claims.into());
            let (key, go) = (ObjectRef::new("ns", "c"), ["c-p-0".to_owned()]);
            let (applier, mandate) = (Applier::new(client), Mandate::unlimited());
            let (gone, ended) = restart(&applier, &events, &mandate, &key, &observed, &plan, &go).await;
            let noted = noted.lock().unwrap();
            let names: Vec<&str> =
                noted.iter().map(|(path, _)| path.split(['/', '?']).nth(6).unwrap()).collect();
            assert_eq!(names, ["data-0-c-p-0", "data-1-c-p-0", "c-p-0"][..deleted]);
            assert!(noted[0].1.contains("u-data-0-c-p-0"), "only the very claim: {}", noted[0].1);
            assert_eq!((ended.is_ok(), gone.known.len()), (deleted == 3, deleted - 2), "{ended:?}");
        }
    }

    #[tokio::test]
    async fn a_pod_whose_deletion_was_not_answered_counts_as_going() {
        client::install_crypto_provider();
        // Nobody answers there.
        let config = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
        let client = kube::Client::try_from(config).unwrap();
        let events = Events::start(client.clone(), events::CLUSTER_OPERATOR, "test");
        let pod: Pod =
            serde_json::from_value(serde_json::json!({"metadata": {"name": "c-p-0", "uid": "u"}})).unwrap();
        let mut observed = Observed::default();
        observed.pods.insert("c-p-0".to_owned(), Arc::new(pod));
        let (key, plan) = (ObjectRef::new("ns", "c"), Plan::default());
        let (applier, mandate) = (Applier::new(client), Mandate::unlimited());
        let go = ["c-p-0".to_owned()];
        let (deleted, ended) = restart(&applier, &events, &mandate, &key, &observed, &plan, &go).await;
        assert!(ended.is_err());
        let unknown = vec![("u".to_owned(), "c-p-0".to_owned())];
        assert_eq!(deleted, Deleted { known: Vec::new(), unknown });
    }
}
