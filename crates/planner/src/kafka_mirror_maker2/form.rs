//! The clusters and the mirrors of a resource, whichever version it is of.

use std::collections::{BTreeMap, BTreeSet};

use api::KafkaMirrorMaker2;
use api::common::client_auth::{ClientAuthentication, ClientTls};
use api::conditions::reasons;
use api::kafka_mirror_maker2::{Mirror, MirrorMaker2Source, MirrorMaker2Target};
use api::schema::FreeMap;

use crate::clients::Access;
use crate::findings::Findings;

/// Characters that an alias may have beside letters and digits.
const IN_ALIAS: [char; 3] = ['.', '_', '-'];
/// The longest alias.
const LONGEST_ALIAS: usize = 100;

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
#[derive(Debug, Clone)]
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
    let mut mirrors = Vec::new();
    for (index, mirror) in spec.mirrors.iter().flatten().enumerate() {
        let section = format!("spec.mirrors[{index}]");
        let Some(source) = source_of(&section, mirror, &clusters, findings) else { continue };
        check_alias(&source, findings);
        check_target(&section, mirror, &target, findings);
        mirrors.push(Pair { section, source, mirror });
    }
    if spec.mirrors.iter().flatten().next().is_none() {
        findings.problem("spec.mirrors", "is empty: say what is mirrored, and from which cluster");
    }
    check_pairs(&target, &mirrors, findings);
    Some(Form { target, group: spec.target.as_ref(), mirrors })
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
                format!("{:?} is used twice: give each cluster an alias of its own", cluster.alias),
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
        let known: Vec<&str> = clusters.keys().copied().collect();
        findings.problem(
            field,
            format!("no cluster has the alias {alias:?}: add it to spec.clusters, or write one of {known:?}"),
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
    if alias.is_empty() || alias.len() > LONGEST_ALIAS || !alias.chars().all(is_good) {
        findings.problem(
            format!("{}.alias", side.section),
            format!(
                "{alias:?} is no alias: write up to {LONGEST_ALIAS} letters, digits, \".\", \"_\" and \"-\""
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
            "{named:?} is not {:?}, the cluster that the workers of this resource mirror to: make a KafkaMirrorMaker2 of its own for \
             each target",
            target.alias
        ),
    );
}

/// Mirrors that lead back to where they come from, or that have the same connectors.
fn check_pairs(target: &Side<'_>, mirrors: &[Pair<'_>], findings: &mut Findings) {
    let mut known = BTreeMap::new();
    for pair in mirrors {
        let (section, alias) = (&pair.source.section, pair.source.alias);
        if alias == target.alias {
            findings.problem(
                format!("{section}.alias"),
                format!("{alias:?} is the target, too: a cluster cannot be mirrored into itself"),
            );
        } else if !pair.source.addresses().is_disjoint(&target.addresses()) {
            findings.problem(
                format!("{section}.bootstrapServers"),
                "has an address of the target: a cluster cannot be mirrored into itself, each record would come back without end",
            );
        }
        if let Some(other) = known.insert(alias, &pair.section) {
            findings.problem(
                format!("{section}.alias"),
                format!(
                    "{alias:?} is the source of {other}, too: a source has one mirror; list all its topics in one topicsPattern, \
                     separated by commas"
                ),
            );
        }
    }
}
