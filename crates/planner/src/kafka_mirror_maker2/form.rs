//! The clusters and the mirrors of a resource, whichever version it is of.

use std::collections::{BTreeMap, BTreeSet};

use api::KafkaMirrorMaker2;
use api::common::client_auth::{ClientAuthentication, ClientTls};
use api::conditions::reasons;
use api::kafka_mirror_maker2::{Mirror, MirrorConnector, MirrorMaker2Source, MirrorMaker2Target};
use api::names::mirror_maker2 as names;
use api::schema::FreeMap;
use serde::Serialize;

use crate::clients::Access;
use crate::findings::Findings;
use crate::words;

/// Mirrors records.
pub const SOURCE: &str = "MirrorSourceConnector";
/// Mirrors offsets of groups.
pub const CHECKPOINT: &str = "MirrorCheckpointConnector";
/// Writes heartbeats.
pub const HEARTBEAT: &str = "MirrorHeartbeatConnector";

/// Characters that an alias may have beside letters and digits.
const IN_ALIAS: [char; 3] = ['.', '_', '-'];
/// The longest alias.
const LONGEST_ALIAS: usize = 100;
/// No key of a Secret begins like this, and certificates of a source are under a key that begins with its alias.
const NO_BEGINNING: &str = "..";
/// Mirrors of one resource. Each repeats what is said of the target, for each of its connectors.
const MOST_MIRRORS: usize = 500;
/// Aliases that a message names.
const SHOWN: usize = 5;

/// What a resource says.
#[derive(Debug, Clone)]
pub struct Form<'a> {
    /// The cluster to mirror to.
    pub target: Side<'a>,
    /// The section of this version with the group of the workers; `None`: an older resource has it among the options.
    pub group: Option<&'a MirrorMaker2Target>,
    /// What is mirrored.
    pub mirrors: Vec<Pair<'a>>,
}

/// A cluster.
#[derive(Debug, Clone, Serialize)]
pub struct Side<'a> {
    /// Path of its section.
    pub section: String,
    /// Its short name.
    pub alias: &'a str,
    /// Its addresses.
    bootstrap_servers: &'a str,
    tls: Option<&'a ClientTls>,
    authentication: Option<&'a ClientAuthentication>,
    /// Options of its clients.
    pub config: Option<&'a FreeMap>,
}

/// A mirror with its source.
#[derive(Debug, Clone)]
pub struct Pair<'a> {
    /// Path of the mirror.
    pub section: String,
    /// The cluster to mirror from.
    pub source: Side<'a>,
    /// The mirror.
    pub mirror: &'a Mirror,
}

impl Side<'_> {
    /// How clients reach the cluster.
    pub fn access(&self, findings: &mut Findings) -> Access {
        Access::read(&self.section, self.bootstrap_servers, self.tls, self.authentication, findings)
    }

    /// Its addresses, as they are written.
    pub(super) fn bootstrap_servers(&self) -> &str {
        self.bootstrap_servers
    }

    /// Its addresses in an order of their own.
    fn addresses(&self) -> BTreeSet<&str> {
        let all = self.bootstrap_servers.split(',').map(str::trim);
        all.filter(|address| !address.is_empty()).collect()
    }
}

fn of_target(target: &MirrorMaker2Target) -> Side<'_> {
    Side {
        section: "spec.target".to_owned(),
        alias: &target.alias,
        bootstrap_servers: &target.bootstrap_servers,
        tls: target.tls.as_ref(),
        authentication: target.authentication.as_ref(),
        config: target.config.as_ref(),
    }
}

fn of_cluster(section: String, cluster: &MirrorMaker2Source) -> Side<'_> {
    Side {
        section,
        alias: &cluster.alias,
        bootstrap_servers: &cluster.bootstrap_servers,
        tls: cluster.tls.as_ref(),
        authentication: cluster.authentication.as_ref(),
        config: cluster.config.as_ref(),
    }
}

/// Reads a resource. What is wrong is a problem, and left out; `None`: there is no cluster to mirror to.
pub fn read<'a>(resource: &'a KafkaMirrorMaker2, findings: &mut Findings) -> Option<Form<'a>> {
    let spec = &resource.spec;
    let clusters = clusters(resource, findings);
    let target = match (&spec.target, &spec.connect_cluster) {
        (Some(target), None) => of_target(target),
        (Some(target), Some(_)) => {
            findings.warn(
                reasons::DEPRECATED_FIELDS,
                "spec.connectCluster: spec.target says what counts; remove connectCluster",
            );
            of_target(target)
        }
        (None, Some(alias)) => {
            findings.warn(
                reasons::DEPRECATED_FIELDS,
                "spec.clusters, spec.connectCluster: write spec.target and spec.mirrors[].source instead",
            );
            of_alias(&clusters, alias, "spec.connectCluster", findings)?
        }
        (None, None) => {
            findings.problem(
                "spec.target",
                "is missing: say which cluster is mirrored to, and its topics for the workers",
            );
            return None;
        }
    };
    check_alias(&target, findings);
    let listed = spec.mirrors.as_deref().unwrap_or_default();
    let mut mirrors: Vec<Pair<'_>> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, mirror) in listed.iter().enumerate().take(MOST_MIRRORS) {
        let section = format!("spec.mirrors[{index}]");
        let Some(source) = source_of(&section, mirror, &clusters, findings) else { continue };
        check_alias(&source, findings);
        check_target(&section, mirror, &target, findings);
        check_circle(&source, &target, findings);
        if let Some(first) = known.get(source.alias) {
            findings.problem(format!("{}.alias", source.section), twice(source.alias, *first));
            // What several mirrors refer to is read once.
            if mirror.source.is_none() {
                continue;
            }
        }
        known.insert(source.alias, index);
        mirrors.push(Pair { section, source, mirror });
    }
    if listed.is_empty() {
        findings.problem("spec.mirrors", "is empty: say what is mirrored, and from which cluster");
    }
    if listed.len() > MOST_MIRRORS {
        findings.problem(
            "spec.mirrors",
            format!(
                "{} items are more than {MOST_MIRRORS}: make another KafkaMirrorMaker2 for the others",
                listed.len()
            ),
        );
    }
    Some(Form { target, group: spec.target.as_ref(), mirrors })
}

impl<'a> Pair<'a> {
    /// The connectors that it asks for: the field of each, and its class.
    pub fn connectors(
        &self,
    ) -> impl Iterator<Item = (&'static str, &'static str, &'a MirrorConnector)> + use<'a> {
        let mirror = self.mirror;
        let all = [
            ("sourceConnector", SOURCE, &mirror.source_connector),
            ("checkpointConnector", CHECKPOINT, &mirror.checkpoint_connector),
            ("heartbeatConnector", HEARTBEAT, &mirror.heartbeat_connector),
        ];
        all.into_iter().filter_map(|(field, class, connector)| Some((field, class, connector.as_ref()?)))
    }
}

/// The names of the connectors that a resource asks for, as far as it is understood.
pub fn connector_names(resource: &KafkaMirrorMaker2) -> BTreeSet<String> {
    let Some(form) = read(resource, &mut Findings::default()) else { return BTreeSet::new() };
    let mut all = BTreeSet::new();
    for pair in &form.mirrors {
        let name = |class| names::connector(pair.source.alias, form.target.alias, class);
        all.extend(pair.connectors().map(|(_, class, _)| name(class)));
    }
    all
}

/// The clusters of an older resource, by alias.
fn clusters<'a>(resource: &'a KafkaMirrorMaker2, findings: &mut Findings) -> BTreeMap<&'a str, Side<'a>> {
    let mut all = BTreeMap::new();
    for (index, cluster) in resource.spec.clusters.iter().flatten().enumerate() {
        let section = format!("spec.clusters[{index}]");
        let field = format!("{section}.alias");
        if all.insert(cluster.alias.as_str(), of_cluster(section, cluster)).is_some() {
            findings.problem(
                field,
                format!(
                    "{} is used twice: give each cluster an alias of its own",
                    words::quoted(&cluster.alias)
                ),
            );
        }
    }
    all
}

fn of_alias<'a>(
    clusters: &BTreeMap<&'a str, Side<'a>>,
    alias: &str,
    field: &str,
    findings: &mut Findings,
) -> Option<Side<'a>> {
    let found = clusters.get(alias).cloned();
    if found.is_none() {
        let known = words::first(clusters.keys().map(|known| words::quoted(known)), SHOWN, ", ");
        let instead = if known.is_empty() { String::new() } else { format!(", or write one of {known}") };
        findings.problem(
            field,
            format!("no cluster has the alias {}: add it to spec.clusters{instead}", words::quoted(alias)),
        );
    }
    found
}

fn source_of<'a>(
    section: &str,
    mirror: &'a Mirror,
    clusters: &BTreeMap<&'a str, Side<'a>>,
    findings: &mut Findings,
) -> Option<Side<'a>> {
    match (&mirror.source, &mirror.source_cluster) {
        (Some(source), _) => Some(of_cluster(format!("{section}.source"), source)),
        (None, Some(alias)) => of_alias(clusters, alias, &format!("{section}.sourceCluster"), findings),
        (None, None) => {
            findings.problem(format!("{section}.source"), "is missing: say which cluster is mirrored from");
            None
        }
    }
}

fn check_alias(side: &Side<'_>, findings: &mut Findings) {
    let alias = side.alias;
    let is_good = |one: char| one.is_ascii_alphanumeric() || IN_ALIAS.contains(&one);
    let is_long = alias.is_empty() || alias.len() > LONGEST_ALIAS;
    if is_long || alias.starts_with(NO_BEGINNING) || !alias.chars().all(is_good) {
        findings.problem(
            format!("{}.alias", side.section),
            format!(
                "{} is no alias: write up to {LONGEST_ALIAS} letters, digits, \".\", \"_\" and \"-\", and no {NO_BEGINNING:?} at the \
                 beginning",
                words::quoted(alias)
            ),
        );
    }
}

/// An older mirror may name a target of its own: the workers stand beside one cluster.
fn check_target(section: &str, mirror: &Mirror, target: &Side<'_>, findings: &mut Findings) {
    let Some(named) = mirror.target_cluster.as_deref().filter(|named| *named != target.alias) else { return };
    findings.problem(
        format!("{section}.targetCluster"),
        format!(
            "{} is not {}, the cluster that the workers of this resource mirror to: make a KafkaMirrorMaker2 of its own for each \
             target",
            words::quoted(named),
            words::quoted(target.alias)
        ),
    );
}

/// A mirror that leads back to where it comes from.
fn check_circle(source: &Side<'_>, target: &Side<'_>, findings: &mut Findings) {
    let section = &source.section;
    if source.alias == target.alias {
        findings.problem(
            format!("{section}.alias"),
            format!(
                "{} is the target, too: a cluster cannot be mirrored into itself",
                words::quoted(source.alias)
            ),
        );
    } else if !source.addresses().is_disjoint(&target.addresses()) {
        findings.problem(
            format!("{section}.bootstrapServers"),
            "has an address of the target: a cluster cannot be mirrored into itself, each record would come back without end",
        );
    }
}

/// What is said of a second mirror of a source: its connectors have the names of those of the first one.
fn twice(alias: &str, first: usize) -> String {
    format!(
        "{} is the source of spec.mirrors[{first}], too: a source has one mirror; list all its topics in one topicsPattern, separated by commas",
        words::quoted(alias)
    )
}
