//! What several kinds share.

pub mod client_auth;
pub mod connector;
pub mod external_configuration;
pub mod jvm;
pub mod logging;
pub mod metrics;
pub mod pod_template;
pub mod probe;
pub mod rack;
pub mod refs;
pub mod sections;
pub mod storage;
pub mod template;
