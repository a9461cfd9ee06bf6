//! Jars that the resource asks for and that workers run without: their agents say so, once for each set of pods.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::agent::PlugIn;
use api::conditions::reasons;
use api::plug_in::{JARS_FOLDER, LIBS_FOLDER};

use super::Workers;
use super::observed::{Missing, ObservedWorkers};
use crate::findings::Warning;
use crate::pod_words::is_ready;
use crate::workload::plug_in_words;

/// Whether agents answer for what they look for. Every worker is to have the provider of Secrets, and few connectors need it: the log names
/// it where it is not there.
pub(super) fn tells(wanted: &[PlugIn]) -> bool {
    wanted.iter().any(|plug_in| *plug_in != PlugIn::SecretsProvider)
}

/// Where the agents are that can be asked.
pub fn agents(observed: &ObservedWorkers) -> BTreeMap<String, IpAddr> {
    let ready = observed.pods.iter().filter(|(_, pod)| is_ready(pod));
    let address = ready.filter_map(|(name, pod)| {
        let address = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
        Some((name.clone(), address))
    });
    address.collect()
}

/// A warning for each jar that workers run without.
pub(crate) fn warnings(workers: &Workers, missing: &Missing) -> Vec<Warning> {
    let mut by_jar: BTreeMap<&PlugIn, Vec<&str>> = BTreeMap::new();
    for (pod, plug_ins) in missing {
        for plug_in in plug_ins.iter().filter(|one| workers.agent.plug_ins.contains(one)) {
            if *plug_in != PlugIn::SecretsProvider {
                by_jar.entry(plug_in).or_default().push(pod);
            }
        }
    }
    let warn = |(plug_in, pods): (&PlugIn, Vec<&str>)| {
        let which = if pods.len() >= workers.replicas {
            "the workers run".to_owned()
        } else {
            format!("{} run{}", pods.join(", "), if pods.len() == 1 { "s" } else { "" })
        };
        let message = format!(
            "{which} without {}, which {} asks for: there is {} in {LIBS_FOLDER} of the image nor in {JARS_FOLDER}; put {} into an image \
             of yours and name it in spec.image, or mount a volume with it at {JARS_FOLDER} (template.pod.volumes and \
             template.connectContainer.volumeMounts)",
            plug_in.name(),
            field(plug_in),
            plug_in_words::not_found(plug_in),
            plug_in_words::to_add(plug_in),
        );
        Warning { reason: reasons::PLUG_IN_MISSING.to_owned(), message }
    };
    by_jar.into_iter().map(warn).collect()
}

/// The section that asks for it.
fn field(plug_in: &PlugIn) -> &'static str {
    match plug_in {
        PlugIn::JmxPrometheusExporter { .. } => PlugIn::ClientMetricsReporter.field(),
        other => other.field(),
    }
}
