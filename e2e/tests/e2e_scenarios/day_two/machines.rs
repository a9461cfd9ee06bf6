//! What happens to the machines below a cluster: one is drained, a disk of it turns read-only, and it dies.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use api::{Kafka, annotations};
use e2e::Scenario;
use e2e::machine::{self, FIRST, SPARE};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::api::DeleteParams;

use super::{CLUSTER, Day, ROLL};

/// Where a pod runs.
async fn machine_of(scenario: &Scenario, pod: &str) -> Result<String> {
    let pod = scenario.api::<Pod>().get(pod).await?;
    pod.spec.and_then(|spec| spec.node_name).context("the pod has no node")
}

/// Waits until a Warning of the cluster has this reason and names the pod; its message.
async fn warning(scenario: &Scenario, reason: &str, pod: &str, deadline: Duration) -> Result<String> {
    let message = |kafka: Option<&Kafka>| {
        let status = kafka.and_then(|kafka| kafka.status.as_ref())?;
        let all = status.conditions.iter().flatten();
        let mut messages =
            all.filter(|one| one.reason.as_deref() == Some(reason)).filter_map(|one| one.message.clone());
        messages.find(|message| message.contains(pod))
    };
    let what = format!("{reason} of {pod}");
    let kafka = scenario.until::<Kafka>(CLUSTER, &what, deadline, |kafka| message(kafka).is_some()).await?;
    message(kafka.as_ref()).context("no message")
}

/// `kubectl drain` has every pod of the cluster leave a machine, in the order of a roll.
pub(super) async fn drain(day: &mut Day) -> Result<()> {
    let before = day.begins("the machine of all nodes is drained", 90).await?;
    for pod in before.keys() {
        ensure!(machine_of(&day.scenario, pod).await? == SPARE, "{pod} does not run where it was placed");
    }
    machine::choose(&day.scenario, FIRST).await?;
    machine::drain(&day.scenario).await?;
    day.until_restarted(&before).await?;
    // Without the webhook the pods would be evicted, which the operator has no part in. An operator that is killed may not have told of
    // its last restart.
    // Events regard the Kafka resource, and name the pod beside it.
    let names = "jsonpath={range .items[*]}{.related.name}{'\\n'}{end}";
    let selector = ["get", "events", "--field-selector", "reason=ManualRollingUpdate", "--output", names];
    let told = day.scenario.kubectl(&selector).await?;
    let untold: Vec<&String> = before.keys().filter(|pod| !told.lines().any(|line| line == *pod)).collect();
    ensure!(untold.len() <= 1, "the operator did not restart {untold:?}: it told of {told}");
    for pod in before.keys() {
        ensure!(machine_of(&day.scenario, pod).await? == FIRST, "{pod} does not run where it was placed");
    }
    day.ends().await
}

/// A broker moves to another machine, where its disk turns read-only. Its claims are given up by the annotation.
pub(super) async fn spoil_disk(day: &mut Day, pod: &str) -> Result<()> {
    day.begins("the disk of a broker turns read-only", 40).await?;
    let scenario = &day.scenario;
    let pods = scenario.api::<Pod>();
    let before = pods.get(pod).await?.uid();
    machine::choose(scenario, SPARE).await?;
    scenario
        .kubectl(&["annotate", "pod", pod, &format!("{}=true", annotations::MANUAL_ROLLING_UPDATE)])
        .await?;
    scenario.until_replaced(pod, before.as_ref()).await?;
    scenario.until_ready(CLUSTER, ROLL).await?;
    let name = format!("data-0-{pod}");
    let claim = scenario.api::<PersistentVolumeClaim>().get(&name).await?.uid();

    machine::make_read_only(scenario, &name).await?;
    pods.delete(pod, &DeleteParams::default()).await?;
    let said = warning(scenario, "LostVolume", pod, ROLL).await?;
    ensure!(said.contains("delete-pod-and-pvc"), "it does not say what to do: {said}");
    scenario.stage("day two: the status tells of the disk");
    let failing = pods.get(pod).await?.uid();
    scenario.kubectl(&["annotate", "pod", pod, &format!("{}=true", annotations::DELETE_POD_AND_PVC)]).await?;
    scenario.until_replaced(pod, failing.as_ref()).await?;
    scenario.until_ready(CLUSTER, ROLL).await?;
    let now = scenario.api::<PersistentVolumeClaim>().get(&name).await?.uid();
    ensure!(now != claim, "the broker has its former volume");
    day.ends().await
}

/// The machine of a broker dies; once it is known not to come back, Kubernetes is told, and the broker comes up elsewhere. Volumes follow it,
/// as those of a network do.
pub(super) async fn lose_machine(day: &mut Day, pod: &str) -> Result<()> {
    day.begins("the machine of a broker dies", 110).await?;
    let scenario = &day.scenario;
    ensure!(machine_of(scenario, pod).await? == SPARE, "{pod} does not run where it was placed");
    let before = scenario.api::<Pod>().get(pod).await?.uid();
    machine::turn_off().await?;
    // Other stories and runs need the machine, whatever came of this one.
    let outcome = elsewhere(scenario, pod, before).await;
    let is_on = machine::turn_on().await;
    outcome.and(is_on)?;
    ensure!(machine_of(scenario, pod).await? == FIRST, "{pod} does not run where it was placed");
    day.ends().await
}

/// Kubernetes is told that the machine of a pod does not come back, and the pod is made anew on the first one.
async fn elsewhere(scenario: &Scenario, pod: &str, before: Option<String>) -> Result<()> {
    let said = warning(scenario, "LostNode", pod, ROLL).await?;
    ensure!(said.contains(SPARE), "it does not name the machine: {said}");
    scenario.stage("day two: the status tells of the machine");
    scenario.kubectl(&["delete", "node", SPARE]).await?;
    machine::choose(scenario, FIRST).await?;
    scenario.until_replaced(pod, before.as_ref()).await?;
    scenario.until_ready(CLUSTER, ROLL).await.map(drop)
}
