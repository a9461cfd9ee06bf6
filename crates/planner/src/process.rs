//! What all processes have in common that our agent starts in a JVM, whatever runs in them: options of the JVM, logging, metrics.

pub mod exporter_rules;
pub mod jmx_secret;
pub mod jvm;
pub mod log_file;
pub mod metrics;

pub use jvm::JvmOptions;
pub use log_file::Logging;
pub use metrics::{JMX_CREDENTIALS, Jmx, Metrics};
