//! Deletes the pods that a plan wants restarted now, and says why. No policy.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::PropagationPolicy;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::clock;
use operator_runtime::events::{self, Events, Note, Severity};
use operator_runtime::leader::Mandate;
use operator_runtime::watch::ObjectRef;
use planner::kafka::observed::{Observed, PutOff};
use planner::kafka::plan::Plan;
use planner::kafka::roll_basis::RollBasis;
use planner::plan::Occasion;

use crate::deleted_pods::DeletedPods;
use crate::kind::Error;

/// The restart of pods of a cluster.
pub(crate) struct Restart<'a> {
    pub applier: &'a Applier,
    pub events: &'a Events,
    pub mandate: &'a Mandate,
    pub deleted_pods: &'a DeletedPods,
    pub key: &'a ObjectRef,
    pub observed: &'a Observed,
    pub plan: &'a Plan,
}

/// Why the restarts that a plan wants are put off, after an attempt that came to its end. `outdated`: why it restarted none; `before`:
/// why and since when they were put off before it. What could not be tried changes nothing.
pub(crate) fn put_off(
    outdated: Option<String>,
    before: Option<PutOff>,
    plan: &Plan,
    now: Timestamp,
) -> Option<PutOff> {
    match outdated {
        Some(why) => Some(PutOff { why, since: before.map_or(now, |before| before.since) }),
        None => before.filter(|_| plan.roll.now.is_empty() && !plan.roll.wanted.is_empty()),
    }
}

impl Restart<'_> {
    /// Deletes these pods, while this process leads. `Some`: why none was; what was decided rests on what is not so any more, and is to be
    /// decided anew.
    pub(crate) async fn pods(&self, go: &[String]) -> Result<Option<String>, Error> {
        let Self { applier, key, observed, plan, .. } = *self;
        if go.is_empty() {
            return Ok(None);
        }
        let mut gone = BTreeSet::new();
        for name in go {
            // A slow API server takes its time for each deletion of a batch: what was decided is looked at anew before the next one.
            if let Some(why) = outdated(applier, key, observed, plan, &gone).await? {
                tracing::info!(cluster = %key, pods = go.join(", "), ?gone, why, "restart put off");
                // The rest is decided about when those that are gone are back.
                return Ok(gone.is_empty().then_some(why));
            }
            let Some(pod) = observed.pods.get(name) else { continue };
            self.mandate.check()?;
            delete_claims(applier, key, plan, name).await?;
            if self.deleted_pods.delete(applier, key, pod).await? {
                announce(self.events, key, observed, plan, pod);
            }
            gone.insert(name.as_str());
        }
        Ok(None)
    }
}

/// Why a restart is not made any more that was planned: writing the plan took so long that Kafka's partitions may be different by
/// now, or another pod of the cluster was replaced or is going, which no cache had heard of. `gone`: those that this batch has deleted.
async fn outdated(
    applier: &Applier,
    key: &ObjectRef,
    observed: &Observed,
    plan: &Plan,
    gone: &BTreeSet<&str>,
) -> Result<Option<String>, ApplyError> {
    let mut live = BTreeMap::new();
    let labels = format!("{}={},{}=Kafka", api::labels::CLUSTER, key.name, api::labels::KIND);
    let each = |found: ObjectMeta| {
        live.insert(found.name.clone().unwrap_or_default(), standing(&found));
    };
    applier.each_metadata::<Pod>(&key.namespace, Some(&labels), None, each).await?;
    let known = |pod: &String| observed.pods.get(pod).map(|pod| standing(&pod.metadata));
    let mut others = plan.nodes.iter().map(|node| &node.pod).filter(|pod| !gone.contains(pod.as_str()));
    let changed = others.find(|pod| live.get(*pod) != known(pod).as_ref());
    if let Some(pod) = changed {
        return Ok(Some(format!("pod {pod} is not the one that the plan was made for")));
    }
    let now = clock::now();
    let old = plan.roll.basis.as_ref().filter(|basis| !basis.is_current(now));
    Ok(old.map(|basis| {
        tracing::debug!(cluster = %key, answer_ms = basis.age_ms(now), "what Kafka said is old");
        format!("what Kafka said is older than {} s", RollBasis::LONGEST_AGE.as_secs())
    }))
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
    use planner::kafka::restart::Restart as WantedRestart;
    use planner::kafka::roll::Roll;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::deleted_pods::uids;

    /// What an API server does with the deletion of an object with these letters in its path.
    #[derive(Clone, Copy)]
    enum Bad {
        /// Nothing is wrong with any.
        No,
        /// It refuses the deletion.
        Refused(&'static str),
        /// It ends the connection without an answer, and the object is gone, or not.
        Unanswered(&'static str, bool),
        /// It takes so many milliseconds for it.
        Slow(u64),
        /// As soon as it is made, another pod has the name of this one.
        Replaces(&'static str),
    }

    /// An API server with the pod `c-p-0` of this UID that notes what is deleted, with the body of the request.
    async fn api_server(uid: &'static str, bad: Bad) -> (kube::Client, Arc<Mutex<Vec<(String, String)>>>) {
        client::install_crypto_provider();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let noted = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&noted);
        tokio::spawn(async move {
            let (mut is_gone, mut others) = (false, 0);
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
                    Bad::Unanswered(name, done) if deletes && path.contains(name) => {
                        is_gone = done;
                        continue;
                    }
                    Bad::Refused(name) if deletes && path.contains(name) => code = 500,
                    Bad::Slow(ms) if deletes => {
                        tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
                    }
                    Bad::Replaces(_) if deletes => others += 1,
                    _ => {}
                }
                let status = if code == 200 { "Success" } else { "Failure" };
                let answer = if deletes {
                    notes.lock().unwrap().push((path, body.to_owned()));
                    serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": status,
                        "message": "", "reason": "", "code": code})
                } else {
                    let pod =
                        |name: &str, uid: &str| serde_json::json!({"metadata": {"name": name, "uid": uid}});
                    let mut items = if is_gone { Vec::new() } else { vec![pod("c-p-0", uid)] };
                    items.extend(["c-p-1", "c-p-2"].map(|name| {
                        let is_other =
                            others > 0 && matches!(bad, Bad::Replaces(replaced) if replaced == name);
                        pod(name, if is_other { "new" } else { name })
                    }));
                    if path.contains("fieldSelector") {
                        items.retain(|item| path.contains(item["metadata"]["name"].as_str().unwrap()));
                    }
                    serde_json::json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                        "metadata": {"resourceVersion": "1"}, "items": items})
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

    /// What came of the restart of the pod `c-p-0`, which the caches know with the UID `u`; and the pods that count as going.
    async fn restarted(
        client: kube::Client,
        plan: Plan,
    ) -> (Result<Option<String>, Error>, BTreeSet<String>) {
        restarted_together(client, plan, &["c-p-0"]).await
    }

    /// What came of the restart of these pods: beside `c-p-0` there are two with UIDs that are their names.
    async fn restarted_together(
        client: kube::Client,
        mut plan: Plan,
        pods: &[&str],
    ) -> (Result<Option<String>, Error>, BTreeSet<String>) {
        let events = Events::start(client.clone(), events::CLUSTER_OPERATOR, "test");
        let mut observed = Observed::default();
        for (id, (name, uid)) in
            [("c-p-0", "u"), ("c-p-1", "c-p-1"), ("c-p-2", "c-p-2")].into_iter().enumerate()
        {
            let pod = serde_json::json!({"metadata": {"name": name, "uid": uid}});
            observed.pods.insert(name.to_owned(), Arc::new(serde_json::from_value(pod).unwrap()));
            plan.nodes.push(PlannedNode { id: id as i32, pod: name.to_owned(), pod_set: "c-p".to_owned() });
        }
        let key = ObjectRef::new("ns", "c");
        let go: Vec<String> = pods.iter().map(|pod| (*pod).to_owned()).collect();
        let (applier, mandate, deleted_pods) =
            (Applier::new(client), Mandate::unlimited(), DeletedPods::default());
        let restart = Restart {
            applier: &applier,
            events: &events,
            mandate: &mandate,
            deleted_pods: &deleted_pods,
            key: &key,
            observed: &observed,
            plan: &plan,
        };
        let ended = restart.pods(&go).await;
        let live = uids(observed.pods.values());
        let going = deleted_pods.still_shown(&applier, &key, &live).await.unwrap();
        (ended, going)
    }

    /// A plan for which Kafka was asked so many seconds ago.
    fn asked(seconds_ago: i64) -> Plan {
        let asked_at = Some(clock::now() - SignedDuration::from_secs(seconds_ago));
        let basis = Some(RollBasis { asked_at, ..RollBasis::default() });
        Plan { roll: Roll { basis, ..Roll::default() }, ..Plan::default() }
    }

    #[tokio::test]
    async fn a_pod_stays_when_what_kafka_said_is_old_or_the_caches_are_behind() {
        for (uid, seconds_ago, deletes, why) in [
            ("u", 0, true, ""),
            ("u", 9, false, "older than 5 s"),
            ("new", 0, false, "pod c-p-0 is not the one"),
        ] {
            let (client, noted) = api_server(uid, Bad::No).await;
            let (ended, going) = restarted(client, asked(seconds_ago)).await;
            let outdated = ended.unwrap();
            assert_eq!(outdated.is_none(), deletes);
            assert!(outdated.unwrap_or_default().contains(why));
            assert_eq!(
                (going.len(), noted.lock().unwrap().len()),
                (usize::from(deletes), usize::from(deletes))
            );
        }
    }

    #[tokio::test]
    async fn the_rest_of_a_batch_stays_when_what_was_decided_is_old_or_another_pod_was_replaced_meanwhile() {
        let all = ["c-p-0", "c-p-1", "c-p-2"];
        for (bad, seconds_ago, deleted) in [
            (Bad::No, 0, 3),
            // The first deletion takes until Kafka's answer is too old for the second.
            (Bad::Slow(1500), 4, 1),
            // A pod that stays: it may be a replica that the batch counts on.
            (Bad::Replaces("c-p-2"), 0, 1),
        ] {
            let (client, noted) = api_server("u", bad).await;
            let pods = if matches!(bad, Bad::Replaces(_)) { &all[..2] } else { &all[..] };
            let (ended, going) = restarted_together(client, asked(seconds_ago), pods).await;
            assert_eq!(ended.unwrap(), None, "some went");
            assert_eq!((going.len(), noted.lock().unwrap().len()), (deleted, deleted));
        }
        // When the first one cannot go, none does, and that is told.
        let (client, noted) = api_server("other", Bad::No).await;
        let (ended, _) = restarted_together(client, asked(0), &all).await;
        assert!(ended.unwrap().is_some_and(|why| why.contains("pod c-p-0 is not the one")));
        assert!(noted.lock().unwrap().is_empty());
    }

    #[test]
    fn a_restart_is_put_off_since_the_first_time_until_it_is_made() {
        let now = clock::now();
        let later = now + SignedDuration::from_secs(8);
        let restart =
            WantedRestart { node: 0, pod: "c-p-0".to_owned(), reasons: [].into(), notes: Vec::new() };
        let wanted = Plan { roll: Roll { wanted: vec![restart], ..Roll::default() }, ..Plan::default() };
        let mut goes = wanted.clone();
        goes.roll.now.push("c-p-0".to_owned());
        let outdated = |why: &str| Some(why.to_owned());
        let first = put_off(outdated("an old answer"), None, &goes, now);
        assert_eq!(first, Some(PutOff { why: "an old answer".to_owned(), since: now }));
        // A pass that waits for an answer tries nothing.
        let meanwhile = put_off(None, first.clone(), &wanted, later);
        assert_eq!(meanwhile, first);
        let again = put_off(outdated("another pod"), meanwhile, &goes, later);
        assert_eq!(again, Some(PutOff { why: "another pod".to_owned(), since: now }));
        assert_eq!(put_off(None, again.clone(), &goes, later), None, "it was made");
        assert_eq!(put_off(None, again, &Plan::default(), later), None, "nothing is due any more");
    }

    #[tokio::test]
    async fn claims_that_go_with_a_pod_go_before_it_and_the_pod_stays_when_one_does_not() {
        for (bad, deleted) in [(Bad::No, 3), (Bad::Refused("data-1"), 2)] {
            let (client, noted) = api_server("u", bad).await;
            let mut plan = Plan::default();
            let claims =
                ["data-0-c-p-0", "data-1-c-p-0"].map(|name| (name.to_owned(), Some(format!("u-{name}"))));
            plan.roll.claims.insert("c-p-0".to_owned(), claims.into());
            let (ended, gone) = restarted(client, plan).await;
            let noted = noted.lock().unwrap();
            let names: Vec<&str> =
                noted.iter().map(|(path, _)| path.split(['/', '?']).nth(6).unwrap()).collect();
            assert_eq!(names, ["data-0-c-p-0", "data-1-c-p-0", "c-p-0"][..deleted]);
            assert!(noted[0].1.contains("u-data-0-c-p-0"), "only the very claim: {}", noted[0].1);
            assert_eq!((ended.is_ok(), gone.len()), (deleted == 3, deleted - 2), "{ended:?}");
        }
    }

    #[tokio::test]
    async fn a_pod_whose_deletion_was_not_answered_counts_as_going_unless_it_is_known_to_run() {
        for done in [true, false] {
            let (client, _) = api_server("u", Bad::Unanswered("c-p-0", done)).await;
            let (ended, going) = restarted(client, Plan::default()).await;
            assert!(ended.is_err());
            assert_eq!(going, done.then(|| "u".to_owned()).into_iter().collect::<BTreeSet<_>>());
        }
    }
}
