//! Carries out the next step of a roll: asks Kafka what the decision depends on, deletes at most one pod, says why.

use std::collections::BTreeSet;
use std::fmt::Display;

use k8s_openapi::api::core::v1::Pod;
use kafka_admin::Admin;
use kube::ResourceExt;
use kube::api::PropagationPolicy;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::events::{self, Events, Note, Severity};
use operator_runtime::watch::ObjectRef;

use super::admin_clients;
use super::kafka_calls;
use super::late_answers::Asking;
use planner::kafka::observed::Observed;
use planner::kafka::plan::Plan;
use planner::kafka::pod_state;
use planner::kafka::restart::Restart;
use planner::kafka::restart::RestartReason;
use planner::kafka::roll_order;
use planner::kafka::roll_order::Decision;
use planner::kafka::roll_order::PodState;
use planner::kafka::roll_order::RollKafka;
use planner::kafka::roll_order::RollNode;
use planner::kafka::roll_order::Says;

/// What Kafka said, and the pods that there were when it was asked: of one that restarted since it says nothing.
pub type RollAnswer = (Pods, RollKafka);

/// Which pods there are, and how they are.
type Pods = Vec<(Option<String>, PodState)>;

/// Makes the next step. Returns what the roll waits for, if it waits. `admin` is `None` when there is no client.
pub async fn step(
    applier: &Applier,
    events: &Events,
    asking: &Asking<RollAnswer>,
    admin: Option<&Admin>,
    key: &ObjectRef,
    observed: &Observed,
    plan: &Plan,
) -> Result<Option<String>, ApplyError> {
    let nodes = nodes(observed, plan);
    let decision = match roll_order::by_pods(&nodes) {
        Some(decision) => decision,
        None if !admin_clients::can_answer(observed) => roll_order::by_kafka(&nodes, Says::Nobody),
        None => {
            let view = match admin {
                None => None,
                Some(admin) => {
                    let question = || {
                        let admin = admin.clone();
                        async move { kafka_calls::roll_view(&admin, kafka_calls::DEFAULT_FETCH_TIMEOUT_MS).await }
                    };
                    answer(asking, key, &pods(observed, &nodes), question).await
                }
            };
            roll_order::by_kafka(&nodes, view.as_ref().map_or(Says::Nothing, Says::View))
        }
    };
    match decision {
        Decision::Settled => Ok(None),
        Decision::Wait(why) => Ok(Some(why)),
        Decision::Restart(name) => {
            let Some(pod) = observed.pods.get(&name) else { return Ok(None) };
            let restart = plan.restarts.iter().find(|restart| restart.pod == name);
            restart_pod(applier, events, key, observed, pod, restart).await?;
            Ok(Some(format!("pod {name} restarts")))
        }
    }
}

/// What Kafka says while the pods are these; `None` when it has not answered within the time that a pass may wait.
async fn answer<E, F>(
    asking: &Asking<RollAnswer>,
    key: &ObjectRef,
    pods: &Pods,
    question: impl Fn() -> F,
) -> Option<RollKafka>
where
    E: Display + Send,
    F: Future<Output = Result<RollKafka, E>> + Send + 'static,
{
    let ask = || {
        let (pods, question) = (pods.clone(), question());
        asking.answer(key, async move { question.await.map(|view| (pods, view)) })
    };
    let mut answer = ask().await?;
    if answer.0 != *pods {
        // It was asked before one of them restarted.
        answer = ask().await?;
    }
    (answer.0 == *pods).then_some(answer.1)
}

fn pods(observed: &Observed, nodes: &[RollNode]) -> Pods {
    let uid = |node: &RollNode| observed.pods.get(&node.pod).and_then(|pod| pod.uid());
    nodes.iter().map(|node| (uid(node), node.state)).collect()
}

async fn restart_pod(
    applier: &Applier,
    events: &Events,
    key: &ObjectRef,
    observed: &Observed,
    pod: &Pod,
    restart: Option<&Restart>,
) -> Result<(), ApplyError> {
    let name = pod.name_any();
    let pod_key = ObjectRef::new(&key.namespace, &name);
    match applier.delete::<Pod>(&pod_key, pod.uid().as_deref(), PropagationPolicy::Background).await {
        // Somebody else restarted it meanwhile.
        Err(error) if error.is_conflict() => return Ok(()),
        other => other?,
    };
    let Some(restart) = restart else { return Ok(()) };
    let reasons: Vec<&str> = restart.reasons.iter().map(|reason| reason.as_str()).collect();
    tracing::info!(cluster = %key, pod = name, reasons = reasons.join(","), notes = restart.notes.join("; "), "pod restarts");
    let Some(kafka) = &observed.kafka else { return Ok(()) };
    for reason in reasons {
        events.publish(Note {
            regarding: events::reference(&**kafka),
            related: Some(events::reference(pod)),
            reason: reason.to_owned(),
            action: events::POD_RESTART.to_owned(),
            text: restart.notes.join("; "),
            severity: Severity::Normal,
        });
    }
    Ok(())
}

/// The nodes as the roll sees them.
fn nodes(observed: &Observed, plan: &Plan) -> Vec<RollNode> {
    let reasons = |pod: &str| -> BTreeSet<RestartReason> {
        let restart = plan.restarts.iter().find(|restart| restart.pod == pod);
        restart.map(|restart| restart.reasons.clone()).unwrap_or_default()
    };
    let planned = plan.nodes.iter().map(|node| RollNode {
        id: node.id,
        pod: node.pod.clone(),
        controller: node.controller,
        broker: node.broker,
        state: observed.pods.get(&node.pod).map_or(PodState::Missing, |pod| pod_state::state(pod)),
        loses_storage: node.loses_storage,
        reasons: reasons(&node.pod),
    });
    planned.collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use operator_runtime::queue::Queue;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_from_before_a_restart_does_not_count() {
        let queue = Queue::new();
        let (asking, key) = (Asking::new(queue.clone()), ObjectRef::new("ns", "c"));
        let pods = |uid: &str| vec![(Some(uid.to_owned()), PodState::Ready)];
        let view = |min_isr| RollKafka {
            quorum: None,
            partitions: vec![roll_order::RollPartition {
                name: "t-0".to_owned(),
                replicas: vec![0],
                isr: vec![0],
                min_isr,
            }],
            registered: BTreeSet::new(),
        };
        let says = |after: u64, min_isr| {
            move || async move {
                tokio::time::sleep(Duration::from_secs(after)).await;
                Ok::<_, Infallible>(view(min_isr))
            }
        };
        let told = |answer: Option<RollKafka>| answer.map(|view| view.partitions[0].min_isr);
        assert_eq!(told(answer(&asking, &key, &pods("old"), says(5, 1)).await), None);
        assert_eq!(queue.next().await, Some(key.clone()));
        assert_eq!(told(answer(&asking, &key, &pods("new"), says(0, 2)).await), Some(2));
        // With the same pods it does count.
        queue.done(&key);
        assert_eq!(told(answer(&asking, &key, &pods("new"), says(5, 3)).await), None);
        assert_eq!(queue.next().await, Some(key.clone()));
        assert_eq!(told(answer(&asking, &key, &pods("new"), says(0, 4)).await), Some(3));
    }
}
