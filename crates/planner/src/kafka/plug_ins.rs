//! Jars that the resource asks for and that pods run without: their agents say so.

use std::collections::{BTreeMap, BTreeSet};

use api::agent::PlugIn;
use api::conditions::reasons;
use api::plug_in::{JARS_FOLDER, LIBS_FOLDER};

use super::cluster::{Cluster, Node, Pool, Warning};
use super::config::agent;
use super::need::Need;
use super::observed::Observed;
use super::pod_state;
use crate::pod_words::is_ready;
use crate::workload::plug_in_words;

/// The agents that have to be asked; `None`: none, or they do not answer.
pub(super) fn need(cluster: &Cluster, observed: &Observed) -> Option<Need> {
    let mut agents = BTreeMap::new();
    for pool in cluster.pools.iter().filter(|pool| !agent::plug_ins(cluster, pool).is_empty()) {
        for id in &pool.nodes {
            let name = cluster.pod_name(Node { id: *id, pool });
            let Some(pod) = observed.pods.get(&name).filter(|pod| is_ready(pod)) else { continue };
            if let Some(started) =
                pod_state::start_of_kafka(pod).filter(|_| !observed.agent_reports.contains_key(&name))
            {
                agents.insert(name, started);
            }
        }
    }
    // In one pass they are asked once: those that do not answer are left for the next.
    let asked = observed.unanswered.iter().any(|(need, _)| matches!(need, Need::AgentReports(_)));
    (!asked && !agents.is_empty()).then_some(Need::AgentReports(agents))
}

/// A warning for each jar that pods of the pool run without.
pub(super) fn missing(cluster: &Cluster, pool: &Pool, observed: &Observed) -> Vec<Warning> {
    let wanted = agent::plug_ins(cluster, pool);
    let mut missing: BTreeMap<&PlugIn, BTreeSet<String>> = BTreeMap::new();
    for id in &pool.nodes {
        let name = cluster.pod_name(Node { id: *id, pool });
        let Some(report) = observed.agent_reports.get(&name) else { continue };
        for plug_in in report.missing_plug_ins.iter().filter(|plug_in| wanted.contains(plug_in)) {
            missing.entry(plug_in).or_default().insert(name.clone());
        }
    }
    let warn = |(plug_in, pods): (&PlugIn, BTreeSet<String>)| Warning {
        reason: reasons::PLUG_IN_MISSING.to_owned(),
        message: message(pool, plug_in, &pods),
    };
    missing.into_iter().map(warn).collect()
}

fn message(pool: &Pool, plug_in: &PlugIn, pods: &BTreeSet<String>) -> String {
    let which = if pods.len() == pool.nodes.len() {
        "its pods run".to_owned()
    } else {
        let pods: Vec<&str> = pods.iter().map(String::as_str).collect();
        format!("{} run{}", pods.join(", "), if pods.len() == 1 { "s" } else { "" })
    };
    let (what, jar) = (plug_in_words::not_found(plug_in), plug_in_words::to_add(plug_in));
    format!(
        "KafkaNodePool {}: {which} without {}, which {} asks for: there is {what} in {LIBS_FOLDER} of the image nor in \
         {JARS_FOLDER}; put {jar} into an image of yours and name it in spec.kafka.image, or mount a volume with it at \
         {JARS_FOLDER} (template.pod.volumes and template.kafkaContainer.volumeMounts)",
        pool.name,
        plug_in.name(),
        plug_in.field(),
    )
}
