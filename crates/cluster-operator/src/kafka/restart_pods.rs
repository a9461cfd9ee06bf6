//! Deletes the pods that a plan wants restarted now, and says why. No policy.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::PropagationPolicy;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::clock;
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
    /// Why none was: what was decided rests on what is not so any more, and is to be decided anew.
    pub outdated: Option<String>,
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
    if go.is_empty() {
        return (deleted, Ok(()));
    }
    match outdated(applier, key, observed, plan).await {
        Ok(None) => {}
        Ok(Some(why)) => {
            tracing::info!(cluster = %key, pods = go.join(", "), why, "restart put off");
            deleted.outdated = Some(why);
            return (deleted, Ok(()));
        }
        Err(error) => return (deleted, Err(error.into())),
    }
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

/// Why a restart is not made any more that was planned: writing the plan took so long that Kafka's partitions may be different by
/// now, or another pod of the cluster was replaced or is going, which no cache had heard of.
async fn outdated(
    applier: &Applier,
    key: &ObjectRef,
    observed: &Observed,
    plan: &Plan,
) -> Result<Option<String>, ApplyError> {
    let mut live = BTreeMap::new();
    let labels = format!("{}={},{}=Kafka", api::labels::CLUSTER, key.name, api::labels::KIND);
    let each = |found: ObjectMeta| {
        live.insert(found.name.clone().unwrap_or_default(), standing(&found));
    };
    applier.each_metadata::<Pod>(&key.namespace, Some(&labels), None, each).await?;
    let known = |pod: &String| observed.pods.get(pod).map(|pod| standing(&pod.metadata));
    let changed = plan.nodes.iter().map(|node| &node.pod).find(|pod| live.get(*pod) != known(pod).as_ref());
    if let Some(pod) = changed {
        return Ok(Some(format!("pod {pod} is not the one that the plan was made for")));
    }
    let now = clock::now();
    let old = plan.roll.basis.as_ref().filter(|basis| !basis.is_current(now));
    Ok(old.map(|basis| format!("what Kafka said is {} ms old", basis.age_ms(now).unwrap_or_default())))
}

/// Which pod it is, and whether it is going.
fn standing(pod: &ObjectMeta) -> (Option<String>, bool) {
    (pod.uid.clone(), pod.deletion_timestamp.is_some())
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
    let basis = plan.roll.basis.as_ref();
    let kafka_said =
        basis.map_or_else(|| "it was not asked: the pod serves nobody".to_owned(), ToString::to_string);
    let answer_ms = basis.and_then(|basis| basis.age_ms(clock::now()));
    tracing::info!(cluster = %key, pod = name, reasons = reasons.join(","), notes, answer_ms, kafka_said, "pod restarts");
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use jiff::SignedDuration;
    use operator_runtime::client;
    use planner::kafka::plan::PlannedNode;
    use planner::kafka::roll::Roll;
    use planner::kafka::roll_basis::RollBasis;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What an API server does with the deletion of an object with these letters in its path.
    #[derive(Clone, Copy)]
    enum Bad {
        /// Nothing is wrong with any.
        No,
        /// It refuses the deletion.
        Refused(&'static str),
        /// It ends the connection without an answer.
        Unanswered(&'static str),
    }

    /// An API server with the pod `c-p-0` of this UID that notes what is deleted, with the body of the request.
    async fn api_server(uid: &'static str, bad: Bad) -> (kube::Client, Arc<Mutex<Vec<(String, String)>>>) {
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
                let deletes = head.starts_with("DELETE");
                let mut code = 200;
                match bad {
                    Bad::Unanswered(name) if deletes && path.contains(name) => continue,
                    Bad::Refused(name) if deletes && path.contains(name) => code = 500,
                    _ => {}
                }
                let status = if code == 200 { "Success" } else { "Failure" };
                let answer = if deletes {
                    notes.lock().unwrap().push((path, body.to_owned()));
                    serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": status,
                        "message": "", "reason": "", "code": code})
                } else {
                    serde_json::json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                        "metadata": {"resourceVersion": "1"}, "items": [{"metadata": {"name": "c-p-0", "uid": uid}}]})
                };
                let answer = answer.to_string();
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

    /// Restarts the pod `c-p-0`, which the caches know with the UID `u`.
    async fn restarted(client: kube::Client, mut plan: Plan) -> (Deleted, Result<(), Error>) {
        let events = Events::start(client.clone(), events::CLUSTER_OPERATOR, "test");
        let pod = serde_json::json!({"metadata": {"name": "c-p-0", "uid": "u"}});
        let mut observed = Observed::default();
        observed.pods.insert("c-p-0".to_owned(), Arc::new(serde_json::from_value(pod).unwrap()));
        plan.nodes.push(PlannedNode { id: 0, pod: "c-p-0".to_owned(), pod_set: "c-p".to_owned() });
        let (key, go) = (ObjectRef::new("ns", "c"), ["c-p-0".to_owned()]);
        let (applier, mandate) = (Applier::new(client), Mandate::unlimited());
        restart(&applier, &events, &mandate, &key, &observed, &plan, &go).await
    }

    /// A plan for which Kafka was asked so many seconds ago.
    fn asked(seconds_ago: i64) -> Plan {
        let asked_at = Some(clock::now() - SignedDuration::from_secs(seconds_ago));
        let basis = Some(RollBasis { asked_at, ..RollBasis::default() });
        Plan { roll: Roll { basis, ..Roll::default() }, ..Plan::default() }
    }

    #[tokio::test]
    async fn a_pod_stays_when_what_kafka_said_is_old_or_the_caches_are_behind() {
        for (uid, seconds_ago, deletes, why) in
            [("u", 0, true, ""), ("u", 9, false, "ms old"), ("new", 0, false, "pod c-p-0 is not the one")]
        {
            let (client, noted) = api_server(uid, Bad::No).await;
            let (deleted, ended) = restarted(client, asked(seconds_ago)).await;
            assert!(ended.is_ok());
            assert_eq!(deleted.outdated.is_none(), deletes);
            assert!(deleted.outdated.unwrap_or_default().contains(why));
            assert_eq!(
                (deleted.known.len(), noted.lock().unwrap().len()),
                (usize::from(deletes), usize::from(deletes))
            );
        }
    }

    #[tokio::test]
    async fn claims_that_go_with_a_pod_go_before_it_and_the_pod_stays_when_one_does_not() {
        for (bad, deleted) in [(Bad::No, 3), (Bad::Refused("data-1"), 2)] {
            let (client, noted) = api_server("u", bad).await;
            let mut plan = Plan::default();
            let claims =
                ["data-0-c-p-0", "data-1-c-p-0"].map(|name| (name.to_owned(), Some(format!("u-{name}"))));
            plan.roll.claims.insert("c-p-0".to_owned(), claims.into());
            let (gone, ended) = restarted(client, plan).await;
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
        let (client, _) = api_server("u", Bad::Unanswered("c-p-0")).await;
        let (deleted, ended) = restarted(client, Plan::default()).await;
        assert!(ended.is_err());
        let unknown = vec![("u".to_owned(), "c-p-0".to_owned())];
        assert_eq!(deleted, Deleted { unknown, ..Deleted::default() });
    }
}
