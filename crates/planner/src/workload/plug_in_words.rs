//! What is said of a jar that is not there: which it is, and where Maven Central has it.

use api::agent::PlugIn;
use api::plug_in::{
    CLIENT_METRICS_REPORTERS, JMX_EXPORTER_JAR, METRICS_REPORTERS, QUOTAS_CLASS, SECRETS_PROVIDER_CLASS,
    TRACING_INTERCEPTORS,
};

/// What was looked for in vain.
pub(crate) fn not_found(plug_in: &PlugIn) -> String {
    let class = match plug_in {
        PlugIn::JmxPrometheusExporter { .. } => return format!("no jar {JMX_EXPORTER_JAR}*.jar"),
        PlugIn::MetricsReporter => METRICS_REPORTERS[0].kafka,
        PlugIn::ClientMetricsReporter => CLIENT_METRICS_REPORTERS[0],
        PlugIn::SecretsProvider => SECRETS_PROVIDER_CLASS,
        PlugIn::QuotasPlugIn => QUOTAS_CLASS,
        PlugIn::Tracing => TRACING_INTERCEPTORS[0],
        PlugIn::RemoteStorageManager { class, .. } => class.as_str(),
    };
    format!("no jar with the class {class}")
}

/// What to put there.
pub(crate) fn to_add(plug_in: &PlugIn) -> String {
    match plug_in.artifact() {
        Some(artifact) => format!("{artifact} of Maven Central (with what it depends on)"),
        None => "the jar".to_owned(),
    }
}
