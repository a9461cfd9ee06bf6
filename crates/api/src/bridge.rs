//! Where things lie in the container of a KafkaBridge, which the operator mounts and names in its configuration.

/// Folder of the ConfigMap. Its files are named by [`crate::names::keys`].
pub const CUSTOM_CONFIG: &str = "/opt/strimzi/custom-config";

/// Folder below which a folder with the name of its Secret has the certificate of the HTTP server.
pub const HTTP_CERTIFICATES: &str = "/opt/strimzi/bridge-http-certs";

/// Folder with the file [`crate::agent::container::RACK_FILE`].
pub const RACK_FOLDER: &str = "/opt/strimzi/init";

/// The program in our image.
pub const PROGRAM: &str = "/kafka-bridge";

/// The script that starts the bridge in Java, in Strimzi's image.
pub const JAVA_SCRIPT: &str = "/opt/strimzi/bin/docker/kafka_bridge_run.sh";

/// The value of the annotation [`crate::annotations::BRIDGE_RUNTIME`] for the bridge in Java.
pub const JAVA_RUNTIME: &str = "java";

/// Environment variables of the script that starts the bridge in Java.
pub mod java_env {
    /// Bounds of the heap.
    pub const HEAP: &str = "KAFKA_HEAP_OPTS";
    /// The heap's share of the container's memory, in percent.
    pub const HEAP_PERCENTAGE: &str = "STRIMZI_DYNAMIC_HEAP_PERCENTAGE";
    /// `-XX` options.
    pub const PERFORMANCE: &str = "KAFKA_JVM_PERFORMANCE_OPTS";
    /// Whether garbage collection is logged.
    pub const GC_LOG: &str = "STRIMZI_GC_LOG_ENABLED";
    /// System properties.
    pub const SYSTEM_PROPERTIES: &str = "STRIMZI_JAVA_SYSTEM_PROPERTIES";
}
