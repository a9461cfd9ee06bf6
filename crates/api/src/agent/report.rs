//! What an agent says of its node beside its state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plug_in::PlugIn;

/// What an agent says of its node when it is asked for [`BROKER_STATE`](super::container::BROKER_STATE).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentReport {
    /// Jars that are to be there and were not found: Kafka runs without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_plug_ins: Vec<PlugIn>,
    /// Which certificates Kafka uses; `None`: it reads them at its start alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<CertificatesInUse>,
    /// For how long listeners of a node that runs have sent nothing back to its agent; `None`: they answer, the node has not run yet, or stops,
    /// or the agent is an older one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unresponsive: Option<Unresponsive>,
}

/// For how many seconds a listener takes connections and sends nothing back; `None`: it answers, or the node has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unresponsive {
    /// The listener of the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_for_seconds: Option<u64>,
    /// The listener of the broker, between brokers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker_for_seconds: Option<u64>,
}

impl Unresponsive {
    /// The longer of both times.
    pub fn longest_seconds(&self) -> Option<u64> {
        self.controller_for_seconds.max(self.broker_for_seconds)
    }
}

/// Which certificates Kafka uses on all connections, incoming and outgoing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificatesInUse {
    /// The mounted files with certificates whose present content is in use wherever Kafka uses the file: their path and the SHA-256 of
    /// their content, in lower-case hexadecimal. A file that changed and that some connection does not know yet is not here.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Why a changed file is not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_is_written() {
        let report = AgentReport {
            missing_plug_ins: vec![
                PlugIn::JmxPrometheusExporter { port: 9404 },
                PlugIn::MetricsReporter,
                PlugIn::RemoteStorageManager { class: "a.B".to_owned(), class_path: Some("/x/*".to_owned()) },
            ],
            certificates: Some(CertificatesInUse {
                files: BTreeMap::from([("/a.crt".to_owned(), "00".to_owned())]),
                error: None,
            }),
            unresponsive: Some(Unresponsive { controller_for_seconds: None, broker_for_seconds: Some(7) }),
        };
        let text = serde_json::to_string(&report).unwrap();
        assert!(text.contains(r#"{"type":"jmxPrometheusExporter","port":9404}"#), "{text}");
        assert!(text.contains(r#""classPath":"/x/*""#), "{text}");
        assert!(text.contains(r#""certificates":{"files":{"/a.crt":"00"}}"#), "{text}");
        assert!(text.contains(r#""unresponsive":{"brokerForSeconds":7}"#), "{text}");
        assert_eq!(serde_json::from_str::<AgentReport>(&text).unwrap(), report);
        // That of an agent that knows of neither, or has nothing to say.
        let other = serde_json::from_str::<AgentReport>(r#"{"brokerState":3}"#).unwrap();
        assert_eq!(other, AgentReport::default());
    }
}
