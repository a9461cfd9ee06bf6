//! What the ConfigMap of each node holds, made once for all that reads it: the ConfigMap itself, and the fingerprint by which a
//! pod is restarted. What is the same for all nodes is made once for all of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use api::agent::{AgentConfig, Heap};

use super::live::{LiveOptions, add};
use super::{agent, logging, server};
use crate::findings::Problem;
use crate::fingerprint;
use crate::kafka::cluster::{Cluster, Metrics, Node};

/// What the ConfigMap of a node has beside the files, with room for what Kubernetes notes in it. Bytes.
const BESIDE: usize = 16 * 1024;

/// The files of the nodes of a cluster.
#[derive(Debug)]
pub(crate) struct NodeFiles<'a> {
    cluster: &'a Cluster,
    of_nodes: BTreeMap<i32, NodeFile>,
    /// `log4j2.properties`, which is that of every node.
    logging: String,
    /// The options that Kafka can change at run time.
    live: LiveOptions<'a>,
    /// Controllers that every broker has to have been started with.
    anchors: Vec<i32>,
}

/// What the operator decides for a node.
#[derive(Debug, Clone)]
struct NodeFile {
    /// Lines of `server.config`.
    fixed: String,
    agent: AgentConfig,
}

/// The files of one node.
#[derive(Debug)]
pub(crate) struct Files {
    /// `server.config`.
    pub server: String,
    /// `agent.config`.
    pub agent: String,
    /// `log4j2.properties`.
    pub logging: String,
}

impl NodeFile {
    fn of(cluster: &Cluster, node: Node<'_>) -> Self {
        Self { fixed: server::fixed(cluster, node), agent: agent::config(cluster, node) }
    }
}

impl<'a> NodeFiles<'a> {
    /// The files of all nodes of a cluster.
    pub(crate) fn of(cluster: &'a Cluster) -> Self {
        let nodes = cluster.nodes().into_iter();
        Self {
            cluster,
            of_nodes: nodes.map(|node| (node.id, NodeFile::of(cluster, node))).collect(),
            logging: logging::kafka(&cluster.logging),
            live: LiveOptions::of(cluster, cluster.version.model()),
            anchors: server::anchors(cluster),
        }
    }

    /// The same, unless the ConfigMap of a node would be larger than those that the operator reads.
    ///
    /// # Errors
    /// What is too large.
    pub(crate) fn within(self, most: usize) -> Result<Self, Vec<Problem>> {
        let rules = match &self.cluster.metrics {
            Some(Metrics::JmxExporter { rules }) => stored(rules),
            _ => 0,
        };
        let logging = stored(&self.logging);
        for node in self.cluster.nodes() {
            let NodeFile { fixed, agent } = &*self.get(node);
            let options = server::options_of(self.cluster, node);
            let options: usize = options.iter().map(|(name, value)| stored(name) + stored(value) + 2).sum();
            let parts = [
                ("spec.kafka.config", options),
                ("spec.kafka.logging", logging),
                ("spec.kafka.metricsConfig", rules),
                ("spec", stored(fixed) + stored(&agent::text(agent))),
            ];
            let all: usize = parts.iter().map(|(_, bytes)| bytes).sum();
            if all + BESIDE > most {
                let (field, bytes) = parts.into_iter().max_by_key(|(_, bytes)| *bytes).unwrap_or_default();
                let message = format!(
                    "takes {bytes} of {all} bytes in the ConfigMap {}, of which the operator reads {most} ({}): write less, or raise \
                     the limit",
                    self.cluster.pod_name(node),
                    api::env::own::MAX_SECRET_KIB
                );
                return Err(vec![Problem::new(field, message)]);
            }
        }
        Ok(self)
    }

    /// The files of a node.
    pub(crate) fn of_node(&self, node: Node<'_>) -> Files {
        let NodeFile { fixed, agent } = &*self.get(node);
        Files {
            server: server::whole(fixed, self.cluster, node),
            agent: agent::text(agent),
            logging: self.logging.clone(),
        }
    }

    /// Fingerprint of everything in the configuration of a node that needs a restart to change.
    pub(crate) fn restart_fingerprint(&self, node: Node<'_>) -> String {
        let NodeFile { fixed, agent } = &*self.get(node);
        let mut text = String::new();
        for line in fixed.lines() {
            // Where a node looks for the quorum. Another controller restarts no pod as long as enough of the first ones stay.
            if !line.starts_with("controller.quorum.bootstrap.servers=") {
                text.push_str(line);
                text.push('\n');
            }
        }
        for (name, value) in server::options_of(self.cluster, node) {
            if !self.live.has(node.id, name, value) {
                add(&mut text, name, value);
            }
        }
        if node.pool.broker && !node.pool.departing.contains(&node.id) && !self.anchors.is_empty() {
            add(&mut text, "controllers known from the start", &format!("{:?}", self.anchors));
        }
        // With which voters an empty disk is formatted matters only when a disk is empty; it must not restart a pod.
        let mut agent = AgentConfig { initial_controllers: None, ..agent.clone() };
        agent.jvm.heap = agent.jvm.heap.as_ref().map(Heap::in_bytes);
        text.push_str(&serde_json::to_string(&agent).unwrap_or_default());
        fingerprint::short(text.as_bytes())
    }

    fn get(&self, node: Node<'_>) -> Cow<'_, NodeFile> {
        match self.of_nodes.get(&node.id) {
            Some(file) => Cow::Borrowed(file),
            None => Cow::Owned(NodeFile::of(self.cluster, node)),
        }
    }
}

/// Bytes of a text in an object as the API server writes it.
fn stored(text: &str) -> usize {
    let escaped = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\t' | b'\r')).count();
    text.len() + escaped
}
