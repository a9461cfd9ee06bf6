//! Where things lie in the container. The paths are part of the contract with the cluster operator.

use std::path::{Path, PathBuf};

use api::agent::container;

/// The directories of the container, below an optional root (`/` in a pod, another directory in tests).
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// A layout below `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A file that the agent makes.
    fn made(&self, name: &str) -> PathBuf {
        self.absolute(Path::new(container::MADE_BY_AGENT)).join(name)
    }

    /// A file of the node's ConfigMap (`server.config`, `agent.config`, `cluster.id`, `metadata.version`, …).
    pub fn custom_config(&self, key: &str) -> PathBuf {
        self.absolute(Path::new(container::CUSTOM_CONFIG)).join(key)
    }

    /// Kafka's jars.
    pub fn libs(&self) -> PathBuf {
        self.absolute(Path::new(api::plug_in::LIBS_FOLDER))
    }

    /// Class-data archive for the broker that the `apache/kafka` image brings along.
    pub fn class_data_archive(&self) -> PathBuf {
        self.at("opt/kafka/kafka.jsa")
    }

    /// Ahead-of-time cache (JDK 24 and later) for the broker, when the image has one.
    pub fn ahead_of_time_cache(&self) -> PathBuf {
        self.at("opt/kafka/kafka.aot")
    }

    /// Rack of the node, read by `broker.rack`.
    pub fn rack_file(&self) -> PathBuf {
        self.absolute(Path::new(container::KUBERNETES_NODE)).join(container::RACK_FILE)
    }

    /// Addresses of the node, read by `advertised.listeners` of node-port listeners.
    pub fn external_address_file(&self) -> PathBuf {
        self.absolute(Path::new(container::KUBERNETES_NODE)).join(container::ADDRESSES_FILE)
    }

    /// Kafka's final configuration.
    pub fn server_properties(&self) -> PathBuf {
        self.made("server.properties")
    }

    /// The final configuration of a worker of Kafka Connect.
    pub fn worker_properties(&self) -> PathBuf {
        self.at("var/opt/kafka/kafka-connect.properties")
    }

    /// Where plug-ins of workers lie, each in a folder of its own.
    pub fn worker_plug_ins(&self) -> PathBuf {
        self.at("opt/kafka/plugins")
    }

    /// The jar with the class that reads certificates again.
    pub fn tls_jar(&self) -> PathBuf {
        self.absolute(Path::new(container::TLS_JAR))
    }

    /// What that class says of the certificates in use.
    pub fn tls_status(&self) -> PathBuf {
        self.made("tls.json")
    }

    /// Folder of the Secret with the authorities that the node trusts.
    pub fn trust_bundle(&self) -> PathBuf {
        self.absolute(Path::new(container::TRUST_BUNDLE))
    }

    /// The password of remote JMX, as the JVM reads it.
    pub fn jmx_password(&self) -> PathBuf {
        self.made("jmx.password")
    }

    /// What the user of remote JMX may do, as the JVM reads it.
    pub fn jmx_access(&self) -> PathBuf {
        self.made("jmx.access")
    }

    /// Where a volume with further jars may be mounted.
    pub fn further_jars(&self) -> PathBuf {
        self.absolute(Path::new(api::plug_in::JARS_FOLDER))
    }

    /// The socket on which the running agent answers `probe`.
    pub fn socket(&self) -> PathBuf {
        self.made("agent.sock")
    }

    /// Directory with the pod's service account (`token`, `ca.crt`).
    pub fn service_account(&self) -> PathBuf {
        self.at("var/run/secrets/kubernetes.io/serviceaccount")
    }

    /// The file whose content Kubernetes shows as the reason of the container's end.
    pub fn termination_message(&self) -> PathBuf {
        self.at("dev/termination-log")
    }

    /// Maps an absolute path of a placeholder below the root.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        match path.strip_prefix("/") {
            Ok(relative) => self.root.join(relative),
            Err(_) => path.to_owned(),
        }
    }

    /// Control-group file-system and `/proc` of the container.
    pub fn kernel(&self, path: &str) -> PathBuf {
        self.at(path)
    }
}
