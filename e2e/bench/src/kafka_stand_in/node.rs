//! What a Kafka node knows once it is started: its ConfigMap, and its key and certificate.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, ensure};
use api::{
    agent::AgentConfig,
    labels,
    names::{self, keys},
    properties::Properties,
};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kafka_admin::Uuid;
use kube::{Api, Client, ResourceExt, api::ListParams};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// One node.
pub(super) struct Node {
    /// `node.id`.
    pub id: i32,
    /// Its name in DNS.
    pub host: String,
    /// The id of its metadata directory.
    pub directory: Uuid,
    /// `server.config`.
    pub options: Properties,
    /// Its certificate, and whom it trusts.
    pub tls: Arc<ServerConfig>,
}

/// The nodes of one cluster.
pub(super) struct Cluster {
    /// The cluster's id.
    pub id: String,
    /// Level of the metadata version with which the storage was formatted.
    pub metadata_level: i16,
    /// Nodes by the name of their pod.
    nodes: BTreeMap<String, Node>,
}

impl Cluster {
    /// Reads the ConfigMaps and Secrets of the nodes.
    pub(super) async fn read(client: &Client, namespace: &str, cluster: &str) -> anyhow::Result<Self> {
        let of_cluster = ListParams::default().labels(&format!("{}={cluster}", labels::CLUSTER));
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let (maps, secrets) = tokio::try_join!(maps.list(&of_cluster), secrets.list(&of_cluster))?;
        let secrets: BTreeMap<String, Secret> =
            secrets.items.into_iter().map(|secret| (secret.name_any(), secret)).collect();
        let trust = secrets.get(&names::trust_bundle_secret(cluster)).context("no trust bundle")?;
        let trust = entry(trust, keys::TRUST_BUNDLE_CLUSTER_CA)?;
        let (mut nodes, mut id, mut metadata_level) = (BTreeMap::new(), String::new(), 0);
        for map in maps.items {
            let (pod, data) = (map.name_any(), map.data.unwrap_or_default());
            // The others are those of the entity operator.
            let Some(agent) = data.get(keys::AGENT_CONFIG) else { continue };
            let agent: AgentConfig = serde_json::from_str(agent).context("read agent.config")?;
            let options = data.get(keys::SERVER_CONFIG).context("no server.config")?;
            let secret = secrets.get(&pod).with_context(|| format!("no Secret {pod}"))?;
            data.get(keys::CLUSTER_ID).context("no cluster id")?.clone_into(&mut id);
            metadata_level = level(map.metadata.annotations.as_ref(), &data)?;
            let node = Node {
                id: agent.node_id,
                host: names::pod_dns(cluster, &pod, namespace),
                directory: directory(&agent)?,
                options: api::properties::parse(options).context("read server.config")?,
                tls: tls(secret, &pod, trust)?,
            };
            nodes.insert(pod, node);
        }
        ensure!(!nodes.is_empty(), "cluster {cluster} has no node");
        Ok(Self { id, metadata_level, nodes })
    }

    /// The node in a pod; `None`: the first one.
    pub(super) fn node(&self, pod: Option<&str>) -> Option<&Node> {
        match pod {
            Some(pod) => self.nodes.get(pod),
            None => self.nodes.values().next(),
        }
    }

    /// All nodes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }
}

/// The feature level of the metadata version in a ConfigMap.
fn level(
    annotations: Option<&BTreeMap<String, String>>,
    data: &BTreeMap<String, String>,
) -> anyhow::Result<i16> {
    let version = annotations.and_then(|all| all.get(api::annotations::KAFKA_VERSION));
    let model = planner::kafka::config::model::of(version.context("no Kafka version")?);
    let metadata = data.get(keys::METADATA_VERSION).context("no metadata version")?;
    let (_, level) = model.metadata_level(metadata).context("a metadata version that is not known")?;
    Ok(level)
}

/// The directory id of a node among those of the first voters, `ID@HOST:PORT:DIRECTORY_ID`.
fn directory(agent: &AgentConfig) -> anyhow::Result<Uuid> {
    let voters = agent.initial_controllers.as_deref().context("the node is none of the first voters")?;
    let prefix = format!("{}@", agent.node_id);
    let own = voters.split(',').find(|voter| voter.starts_with(&prefix));
    let id = own.and_then(|voter| voter.rsplit(':').next()).context("the node has no directory id")?;
    kafka_admin::parse_uuid(id).with_context(|| format!("{id} is no uuid of Kafka"))
}

fn tls(secret: &Secret, pod: &str, trust: &[u8]) -> anyhow::Result<Arc<ServerConfig>> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(trust) {
        roots.add(authority.context("read the trust bundle")?)?;
    }
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(entry(secret, &format!("{pod}.crt"))?)
            .collect::<Result<_, _>>()
            .context("read the certificate of a node")?;
    let key = PrivateKeyDer::from_pem_slice(entry(secret, &format!("{pod}.key"))?)
        .context("read the key of a node")?;
    let clients = WebPkiClientVerifier::builder(Arc::new(roots)).build()?;
    let config = ServerConfig::builder().with_client_cert_verifier(clients).with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

fn entry<'a>(secret: &'a Secret, key: &str) -> anyhow::Result<&'a [u8]> {
    let value = secret.data.as_ref().and_then(|data| data.get(key));
    value.map(|value| value.0.as_slice()).with_context(|| format!("no {key} in {}", secret.name_any()))
}
