//! `agent.config`: what the cluster operator tells the agent about its node.
//!
//! The file is JSON. The cluster operator writes it through [`AgentConfig`], the agent reads it through the same type, so
//! the two cannot drift apart. It holds no secrets: key material is named by path only.

pub mod container;
mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use crate::plug_in::PlugIn;
pub use report::{AgentReport, CertificatesInUse, Unresponsive};

use serde::{Deserialize, Serialize};

/// The placeholder `${kastellanjaas:DIRECTORY:FILE}`: the content of a file without a line end at its end, escaped for a value
/// between quotation marks in a JAAS configuration.
pub const JAAS_PLACEHOLDER: &str = "kastellanjaas";

/// Everything the agent needs to know about its node beyond Kafka's own `server.config`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent settings of a file, not the states of a machine"
)]
pub struct AgentConfig {
    /// Kafka's `node.id`.
    pub node_id: i32,
    /// Name of the pod, for log lines and messages.
    pub pod_name: String,
    /// What the node does (`process.roles`); at least one.
    pub roles: Vec<Role>,
    /// PEM key stores to put together from mounted Secrets before the start, and again whenever those change.
    /// The first one also is the agent's own identity (HTTPS server, and client of the node's listeners).
    #[serde(default)]
    pub keystores: Vec<KeyStore>,
    /// PEM file with the authorities whose certificates may read the agent's HTTPS endpoint.
    /// Default: `/opt/kafka/trust-bundle/cluster-ca.crt`.
    #[serde(default = "default_client_authorities")]
    pub client_authorities: PathBuf,
    /// `metadata.log.dir`: the log directory that holds the KRaft metadata log.
    pub metadata_log_dir: PathBuf,
    /// `log.dirs`, in the order of `server.config`. Controllers alone have just the metadata log directory here.
    pub log_dirs: Vec<PathBuf>,
    /// The first voters of a dynamic quorum, `ID@HOST:PORT:DIRECTORY_ID` joined with commas, when this node is one of
    /// them and may format its storage with them. `None`: the node joins an existing quorum, or the quorum is static.
    #[serde(default)]
    pub initial_controllers: Option<String>,
    /// Whether the quorum is static (`controller.quorum.voters`), as in clusters taken over from older installations.
    #[serde(default)]
    pub static_voters: bool,
    /// Port of the controller listener; `None` unless the node is a controller.
    #[serde(default)]
    pub controller_port: Option<u16>,
    /// Port of the replication listener; `None` unless the node is a broker.
    #[serde(default)]
    pub replication_port: Option<u16>,
    /// Whether the two listeners above, and the agent's own port, speak TLS. Default: true.
    #[serde(default = "default_true")]
    pub internal_tls: bool,
    /// How the JVM is started.
    #[serde(flatten)]
    pub jvm: JvmSettings,
    /// Where the rack of the node comes from; `None`: the node has no rack.
    #[serde(default)]
    pub rack: Option<RackSource>,
    /// Whether `external.address` is needed because a node-port listener advertises the address of the node.
    #[serde(default)]
    pub node_port_addresses: bool,
    /// Jars of others that the node is to run with, where they are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plug_ins: Vec<PlugIn>,
    /// Remote JMX; `None`: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jmx: Option<RemoteJmx>,
}

/// What is left of the recovery of a node's logs after an unclean stop, as its agent tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryState {
    /// Logs.
    pub remaining_logs_to_recover: usize,
    /// Segments of the logs that are being recovered.
    pub remaining_segments_to_recover: usize,
}

/// How the agent starts the JVM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JvmSettings {
    /// Explicit heap bounds; they win over the dynamic heap.
    #[serde(default)]
    pub heap: Option<Heap>,
    /// Without explicit bounds, the heap in percent of the container's memory limit. Default: 50.
    #[serde(default = "default_heap_percentage")]
    pub dynamic_heap_percentage: u8,
    /// Upper bound of the dynamic heap in bytes; `None`: no bound. The operator writes 5 GiB (5368709120) for Kafka.
    #[serde(default)]
    pub dynamic_heap_max_bytes: Option<u64>,
    /// Flags for the JVM, ready to use (`-XX:MaxGCPauseMillis=20`). See [`xx_flags`] for the resource's `-XX` map.
    /// Empty: the agent's default set (G1).
    #[serde(default)]
    pub jvm_performance_options: Vec<String>,
    /// Java system properties, in order.
    #[serde(default)]
    pub java_system_properties: Vec<SystemProperty>,
    /// Whether garbage collection is logged to standard output.
    #[serde(default)]
    pub gc_logging: bool,
    /// Further jars for the class path, after Kafka's own (plug-ins mounted into the pod).
    #[serde(default)]
    pub extra_class_path: Vec<PathBuf>,
    /// Further JVM arguments, put before the main class (for example a `-javaagent:`).
    #[serde(default)]
    pub extra_jvm_arguments: Vec<String>,
}

impl Default for JvmSettings {
    fn default() -> Self {
        Self {
            heap: None,
            dynamic_heap_percentage: default_heap_percentage(),
            dynamic_heap_max_bytes: None,
            jvm_performance_options: Vec::new(),
            java_system_properties: Vec::new(),
            gc_logging: false,
            extra_class_path: Vec::new(),
            extra_jvm_arguments: Vec::new(),
        }
    }
}

/// `agent.config` of a worker of Kafka Connect or MirrorMaker 2. It is the same for all workers of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerConfig {
    /// The port of the REST API, which tells how the worker is.
    pub rest_port: u16,
    /// PEM key stores to put together from mounted Secrets before the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keystores: Vec<KeyStore>,
    /// Passwords that connectors' configurations refer to within a JAAS configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jaas_passwords: Vec<JaasPassword>,
    /// How the JVM is started.
    #[serde(flatten)]
    pub jvm: JvmSettings,
    /// Where the rack of the worker comes from; `None`: it has no rack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<RackSource>,
    /// Jars of others that the worker is to run with, where they are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plug_ins: Vec<PlugIn>,
    /// Remote JMX; `None`: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jmx: Option<RemoteJmx>,
}

/// A password that the agent writes so that it can stand between the quotation marks of a JAAS configuration: the provider that
/// resolves placeholders in configurations of connectors takes files as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JaasPassword {
    /// The mounted file with the password.
    pub source: PathBuf,
    /// The file to make.
    pub target: PathBuf,
}

/// Remote JMX, on one port for everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteJmx {
    /// The port.
    pub port: u16,
    /// Directory with the files `jmx-username` and `jmx-password` of the one user that may connect, and only read; `None`:
    /// everybody may connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<PathBuf>,
}

/// What a node does in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Takes part in the metadata quorum.
    Controller,
    /// Holds partitions and serves clients.
    Broker,
}

/// A PEM key store, put together by the agent: the private key followed by the certificate chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyStore {
    /// The file to write, mode 0600.
    pub target: PathBuf,
    /// PEM file with the private key (PKCS #8).
    pub key: PathBuf,
    /// PEM file with the certificate of the key, followed by intermediate authorities.
    pub certificates: PathBuf,
}

/// Explicit heap bounds in the notation of the JVM (`512m`, `4g`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heap {
    /// `-Xms`; `None`: as the JVM chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xms: Option<String>,
    /// `-Xmx`; `None`: from the dynamic heap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xmx: Option<String>,
}

impl Heap {
    /// The same bounds in bytes, so that all spellings of a size (`1g`, `1024M`) are equal. What is no size stays as it is.
    pub fn in_bytes(&self) -> Self {
        let bytes = |text: &String| {
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let shift = match text.get(digits.len()..)? {
                "" => 0,
                "k" | "K" => 10,
                "m" | "M" => 20,
                "g" | "G" => 30,
                "t" | "T" => 40,
                _ => return None,
            };
            digits.parse::<u64>().ok()?.checked_mul(1 << shift).map(|bytes| bytes.to_string())
        };
        let all = |text: Option<&String>| text.map(|text| bytes(text).unwrap_or_else(|| text.clone()));
        Self { xms: all(self.xms.as_ref()), xmx: all(self.xmx.as_ref()) }
    }
}

/// A Java system property (`-Dname=value`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemProperty {
    /// Name, without `-D`.
    pub name: String,
    /// Value; may be empty.
    #[serde(default)]
    pub value: String,
}

/// Where the rack of a node comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum RackSource {
    /// An environment variable of the container.
    Env {
        /// Its name.
        name: String,
    },
    /// A label of the Kubernetes node, looked up through the API server.
    TopologyLabel {
        /// The label's key, such as `topology.kubernetes.io/zone`.
        key: String,
    },
}

impl AgentConfig {
    /// Whether the node has the role.
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Every directory that Kafka formats: the log directories and the metadata log directory, without doubles.
    pub fn all_directories(&self) -> Vec<PathBuf> {
        let mut directories = self.log_dirs.clone();
        if !directories.contains(&self.metadata_log_dir) {
            directories.push(self.metadata_log_dir.clone());
        }
        directories
    }
}

/// JVM flags for the `-XX` map of a resource's `jvmOptions`: `true` and `false` become `-XX:+Name` and `-XX:-Name`,
/// anything else `-XX:Name=value`. `UnlockExperimentalVMOptions` and its like come first, as the JVM demands.
pub fn xx_flags(options: &BTreeMap<String, String>) -> Vec<String> {
    let mut names: Vec<&String> = options.keys().collect();
    names.sort_by_key(|name| !name.starts_with("Unlock"));
    let mut flags = Vec::with_capacity(names.len());
    for name in names {
        flags.push(match options[name].as_str() {
            value if value.eq_ignore_ascii_case("true") => format!("-XX:+{name}"),
            value if value.eq_ignore_ascii_case("false") => format!("-XX:-{name}"),
            value => format!("-XX:{name}={value}"),
        });
    }
    flags
}

fn default_true() -> bool {
    true
}

fn default_heap_percentage() -> u8 {
    50
}

fn default_client_authorities() -> PathBuf {
    PathBuf::from(container::CLUSTER_TRUST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_gets_the_documented_defaults() {
        let config: AgentConfig = serde_json::from_str(
            r#"{"nodeId":0,"podName":"c-p-0","roles":["controller","broker"],"metadataLogDir":"/var/lib/kafka/data/kafka-log0",
                "logDirs":["/var/lib/kafka/data/kafka-log0"],"rack":{"type":"topologyLabel","key":"zone"},"heap":{"xmx":"256m"}}"#,
        )
        .unwrap();
        assert_eq!(config.jvm.dynamic_heap_percentage, 50);
        assert!(config.internal_tls);
        assert_eq!(config.rack, Some(RackSource::TopologyLabel { key: "zone".into() }));
        assert_eq!(config.jvm.heap, Some(Heap { xms: None, xmx: Some("256m".into()) }));
        assert_eq!(config.all_directories().len(), 1);
    }

    #[test]
    fn what_the_operator_writes_is_what_the_agent_reads() {
        let config: AgentConfig = serde_json::from_str(
            r#"{"nodeId":3,"podName":"c-p-3","roles":["broker"],"metadataLogDir":"/a","logDirs":["/a","/b"],"replicationPort":9091,
                "keystores":[{"target":"/t","key":"/k","certificates":"/c"}],"rack":{"type":"env","name":"RACK"},
                "javaSystemProperties":[{"name":"x","value":"y"}]}"#,
        )
        .unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<AgentConfig>(&text).unwrap(), config);
    }

    #[test]
    fn xx_options_become_flags_with_unlocking_first() {
        let options = BTreeMap::from([
            ("MaxGCPauseMillis".to_owned(), "20".to_owned()),
            ("UseG1GC".to_owned(), "true".to_owned()),
            ("AlwaysPreTouch".to_owned(), "false".to_owned()),
            ("UnlockExperimentalVMOptions".to_owned(), "true".to_owned()),
        ]);
        assert_eq!(
            xx_flags(&options),
            [
                "-XX:+UnlockExperimentalVMOptions",
                "-XX:-AlwaysPreTouch",
                "-XX:MaxGCPauseMillis=20",
                "-XX:+UseG1GC"
            ]
        );
    }
}
