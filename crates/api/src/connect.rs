//! Names in the configuration of Kafka Connect's workers that connectors, users and the agent know.

/// Workers of a resource that names no number of them.
pub const WORKERS_DEFAULT: i32 = 3;

/// The option that lists the configuration providers.
pub const CONFIG_PROVIDERS: &str = "config.providers";
/// The provider of environment variables.
pub const ENV_PROVIDER: &str = "strimzienv";
/// The provider of keys of properties files.
pub const FILE_PROVIDER: &str = "strimzifile";
/// The provider of files.
pub const DIRECTORY_PROVIDER: &str = "strimzidir";
/// The provider of keys of Secrets.
pub const SECRETS_PROVIDER: &str = "strimzisecrets";

/// The path at which a worker tells how it is.
pub const HEALTH_PATH: &str = "/health";

/// The folder with a folder for each plug-in.
pub const PLUG_INS_FOLDER: &str = "/opt/kafka/plugins";

/// The environment variable that says how a worker is traced.
pub const TRACING: &str = "STRIMZI_TRACING";

/// The environment variable with the host name under which the other workers reach a worker.
pub const ADVERTISED_HOSTNAME: &str = "ADVERTISED_HOSTNAME";
