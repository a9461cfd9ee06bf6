//! The connectors of a mirror and their options.

use std::collections::BTreeMap;

use api::agent::container::{INTERCEPTOR_FILES, JAAS_PASSWORDS, KUBERNETES_NODE, RACK_FILE};
use api::conditions::reasons;
use api::connect::{DIRECTORY_PROVIDER, ENV_PROVIDER};
use api::kafka_mirror_maker2::{Mirror, MirrorConnector};
use api::names::mirror_maker2 as names;
use api::plug_in::{CLIENT_METRICS_REPORTERS, INTERCEPTORS, JMX_REPORTER, METRICS_REPORTER_OPTIONS};
use api::schema::FreeMap;
use serde_json::Value;

use super::form::Pair;
use crate::clients::options;
use crate::findings::Findings;
use crate::kafka_connector::wanted::{self, Fields, Wanted};
use crate::process::Metrics;
use crate::rack::Rack;
use crate::text;
use crate::workers::{Client, Workers};

/// Options of connectors that fields say.
const OWN_OPTIONS: [&str; 4] = [wanted::NAME, wanted::CLASS, wanted::TASKS_MAX, wanted::VERSION];
/// Prefixes of the options that say which clusters are mirrored.
const CLUSTERS: [&str; 2] = ["source.cluster.", "target.cluster."];

/// A connector that a mirror asks for.
#[derive(Debug, Clone)]
pub struct MirrorWanted<'a> {
    /// Path of its section.
    pub section: String,
    /// The section.
    pub connector: &'a MirrorConnector,
    /// What it is to be.
    pub wanted: Wanted,
}

/// A cluster with how its clients reach it.
#[derive(Debug, Clone)]
pub struct End<'a> {
    /// Its short name.
    pub alias: &'a str,
    /// How it is reached.
    pub client: &'a Client,
    /// Options of its clients.
    pub options: BTreeMap<String, String>,
}

/// What connectors have from the workers that they run in.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    rack: Option<&'a Rack>,
    metrics: Option<&'a Metrics>,
    is_traced: bool,
}

impl<'a> From<&'a Workers> for Surroundings<'a> {
    fn from(workers: &'a Workers) -> Self {
        Self { rack: workers.rack.as_ref(), metrics: workers.metrics.as_ref(), is_traced: workers.is_traced }
    }
}

/// The connectors of a mirror. What is wrong is a problem.
pub fn of<'a>(
    pair: &Pair<'a>,
    source: &End<'_>,
    target: &End<'_>,
    around: Surroundings<'_>,
    findings: &mut Findings,
) -> Vec<MirrorWanted<'a>> {
    let mirror = pair.mirror;
    let own = own_options(pair, source, target, around, findings);
    if mirror.heartbeat_connector.is_some() {
        findings.warn(
            reasons::DEPRECATED_FIELDS,
            "spec.mirrors[].heartbeatConnector: there is none in v1, and a resource that is rewritten for it loses the heartbeats",
        );
    }
    let mut wanted = Vec::new();
    for (field, class, connector) in pair.connectors() {
        let section = format!("{}.{field}", pair.section);
        let name = names::connector(source.alias, target.alias, class);
        wanted.extend(one(section, (&name, class), connector, &own, around, findings));
    }
    wanted
}

fn one<'a>(
    section: String,
    (name, class): (&str, &str),
    connector: &'a MirrorConnector,
    own: &BTreeMap<String, String>,
    around: Surroundings<'_>,
    findings: &mut Findings,
) -> Option<MirrorWanted<'a>> {
    let mut config = FreeMap::new();
    for (option, value) in connector.config.iter().flatten() {
        let lower = option.to_lowercase();
        // What says how a cluster is reached is that of its section; more options of its clients are the user's.
        let is_own = OWN_OPTIONS.contains(&lower.as_str())
            || CLUSTERS.iter().any(|prefix| lower.starts_with(prefix) && own.contains_key(&lower));
        if is_own {
            findings.problem(
                format!("{section}.config.{option}"),
                "is set by the operator: remove it; name, class, tasks, version and clusters have fields of their own",
            );
            continue;
        }
        config.insert(option.clone(), value.clone());
    }
    for (option, value) in own {
        config.insert(option.clone(), Value::String(value.clone()));
    }
    reporters(around.metrics, &mut config);
    let fields = Fields {
        name,
        class: Some(&names::class(class)),
        tasks_max: connector.tasks_max,
        version: connector.version.as_deref(),
        config: Some(&config),
        state: connector.state,
        pause: connector.pause,
        auto_restart: connector.auto_restart.as_ref(),
    };
    let wanted = wanted::of_fields(&fields, &section, findings)?;
    Some(MirrorWanted { section, connector, wanted })
}

/// The options that the resource's sections say, for every connector of a mirror.
fn own_options(
    pair: &Pair<'_>,
    source: &End<'_>,
    target: &End<'_>,
    around: Surroundings<'_>,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let mut own = BTreeMap::new();
    for (prefix, end) in [(CLUSTERS[0], source), (CLUSTERS[1], target)] {
        for (name, value) in &end.options {
            own.insert(format!("{prefix}{name}"), value.clone());
        }
        let access = &end.client.access;
        let whole = [("alias", end.alias), ("bootstrap.servers", access.bootstrap_servers.as_str())];
        let whole = whole.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (name, value) in whole.into_iter().chain(options::of_connector(access, &end.client.files)) {
            own.insert(format!("{prefix}{name}"), value);
        }
    }
    for (option, field, pattern) in patterns(pair.mirror, findings) {
        if let Some(pattern) = pattern {
            text::plain(pattern, &format!("{}.{field}", pair.section), "a list of patterns", findings);
            own.insert(option.to_owned(), pattern.to_owned());
        }
    }
    if let Some(rack) = around.rack {
        let value = match rack {
            Rack::TopologyLabel(_) => format!("${{{DIRECTORY_PROVIDER}:{KUBERNETES_NODE}:{RACK_FILE}}}"),
            Rack::EnvironmentVariable(name) => format!("${{{ENV_PROVIDER}:{name}}}"),
        };
        own.insert("consumer.client.rack".to_owned(), value);
    }
    if around.is_traced {
        // The agent knows whether the classes are there.
        for (option, file) in INTERCEPTORS.into_iter().zip(INTERCEPTOR_FILES) {
            own.insert(option.to_owned(), format!("${{{DIRECTORY_PROVIDER}:{JAAS_PASSWORDS}:{file}}}"));
        }
    }
    own
}

/// Options, fields and values of the patterns of a mirror.
fn patterns<'a>(
    mirror: &'a Mirror,
    findings: &mut Findings,
) -> [(&'static str, &'static str, Option<&'a str>); 4] {
    let mut renamed = |new: &'a Option<String>, old: &'a Option<String>, field: &str, former: &str| {
        if old.is_some() {
            let message = format!("spec.mirrors[].{former}: write {field} instead");
            findings.warn(reasons::DEPRECATED_FIELDS, message);
        }
        new.as_deref().or(old.as_deref())
    };
    let topics_exclude = renamed(
        &mirror.topics_exclude_pattern,
        &mirror.topics_blacklist_pattern,
        "topicsExcludePattern",
        "topicsBlacklistPattern",
    );
    let groups_exclude = renamed(
        &mirror.groups_exclude_pattern,
        &mirror.groups_blacklist_pattern,
        "groupsExcludePattern",
        "groupsBlacklistPattern",
    );
    [
        ("topics", "topicsPattern", mirror.topics_pattern.as_deref()),
        ("topics.exclude", "topicsExcludePattern", topics_exclude),
        ("groups", "groupsPattern", mirror.groups_pattern.as_deref()),
        ("groups.exclude", "groupsExcludePattern", groups_exclude),
    ]
}

/// Metrics of the clients of a connector go into the registry that its worker offers.
fn reporters(metrics: Option<&Metrics>, config: &mut FreeMap) {
    let Some(Metrics::Reporter { allow_list }) = metrics else { return };
    let listed = config.get("metric.reporters").and_then(Value::as_str).unwrap_or(JMX_REPORTER).to_owned();
    let mut all: Vec<&str> = listed.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
    if !all.contains(&CLIENT_METRICS_REPORTERS[0]) {
        all.push(CLIENT_METRICS_REPORTERS[0]);
    }
    let options = [
        ("metric.reporters".to_owned(), all.join(",")),
        (format!("{METRICS_REPORTER_OPTIONS}listener.enable"), "false".to_owned()),
        (format!("{METRICS_REPORTER_OPTIONS}allowlist"), allow_list.join(",")),
    ];
    config.extend(options.map(|(name, value)| (name, Value::String(value))));
}
