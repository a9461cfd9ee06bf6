//! What all processes have in common that our agent starts in a JVM, whatever runs in them: options of the JVM, logging, metrics.

pub(crate) mod exporter_rules;
pub(crate) mod jmx_secret;
pub(crate) mod jvm;
pub(crate) mod log_file;
pub(crate) mod metrics;

pub use jvm::JvmOptions;
pub use log_file::Logging;
pub use metrics::{Jmx, Metrics};
