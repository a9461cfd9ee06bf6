//! What a KafkaMirrorMaker means as a KafkaMirrorMaker2.

use std::collections::{BTreeMap, BTreeSet};

use api::common::connector::{AutoRestart, ConnectorState};
use api::conditions::reasons;
use api::kafka_connect::KafkaConnectTemplate;
use api::kafka_mirror_maker::KafkaMirrorMakerTemplate;
use api::kafka_mirror_maker2::{Mirror, MirrorConnector, MirrorMaker2Source, MirrorMaker2Target};
use api::schema::FreeMap;
use api::{KafkaMirrorMaker, KafkaMirrorMaker2Spec, last_applied};
use serde_json::Value;

use crate::findings::Findings;
use crate::user_options::{self, Rules, TLS_EXCEPTIONS};
use crate::versions;

/// The alias of the cluster to mirror from.
pub const SOURCE: &str = "source";
/// The alias of the cluster to mirror to.
pub const TARGET: &str = "target";

/// Topics keep their names.
const IDENTITY: &str = "org.apache.kafka.connect.mirror.IdentityReplicationPolicy";
/// Topics of Kafka itself, which MirrorMaker 1 left out.
const INTERNAL_TOPICS: &str = "__.*";
/// Where a consumer without a committed offset began in MirrorMaker 1, unless its options said otherwise.
const BEGIN: &str = "latest";
/// How soon new topics are seen.
const REFRESH_SECONDS: i64 = 60;

/// The group at whose offsets mirroring begins.
const GROUP: &str = "source.consumer.group.id";

const INSTEAD: &str = "addresses, TLS and authentication have fields of their own";
const OF_CONSUMER: Rules = Rules {
    forbidden: &["ssl.", "bootstrap.servers", "group.id", "sasl.", "security.", "interceptor.classes"],
    exceptions: TLS_EXCEPTIONS,
    instead: INSTEAD,
};
const OF_PRODUCER: Rules = Rules {
    forbidden: &["ssl.", "bootstrap.servers", "sasl.", "security.", "interceptor.classes"],
    exceptions: TLS_EXCEPTIONS,
    instead: INSTEAD,
};

/// What a resource means. What is wrong with it is a problem. `state` is what the connector is to do.
pub fn spec(
    resource: &KafkaMirrorMaker,
    state: ConnectorState,
    findings: &mut Findings,
) -> KafkaMirrorMaker2Spec {
    say(resource, findings);
    let spec = &resource.spec;
    let (consumer, producer) = (&spec.consumer, &spec.producer);
    let of_consumer =
        user_options::read(consumer.config.as_ref(), "spec.consumer.config", &OF_CONSUMER, findings);
    let of_producer =
        user_options::read(producer.config.as_ref(), "spec.producer.config", &OF_PRODUCER, findings);
    let (source_tls, of_consumer) = without_tls(of_consumer);
    let (target_tls, of_producer) = without_tls(of_producer);
    let group = group(resource);
    // An older one is run as the newest, for which the operator has the image.
    let is_older = spec.version.as_deref().is_some_and(versions::is_older_than_supported);
    let mut of_workers = target_tls;
    for option in ["config.storage", "offset.storage", "status.storage"] {
        of_workers.insert(format!("{option}.replication.factor"), Value::from(-1));
    }
    if let Some(interval) = consumer.offset_commit_interval {
        of_workers.insert("offset.flush.interval.ms".to_owned(), Value::from(interval));
    }
    KafkaMirrorMaker2Spec {
        version: spec.version.clone(),
        replicas: Some(spec.replicas),
        image: spec.image.clone().filter(|_| !is_older),
        target: Some(MirrorMaker2Target {
            alias: TARGET.to_owned(),
            bootstrap_servers: producer.bootstrap_servers.clone(),
            group_id: group.clone(),
            config_storage_topic: format!("{group}-configs"),
            status_storage_topic: format!("{group}-status"),
            offset_storage_topic: format!("{group}-offsets"),
            tls: producer.tls.clone(),
            authentication: producer.authentication.clone(),
            config: Some(of_workers),
        }),
        mirrors: Some(vec![Mirror {
            source: Some(MirrorMaker2Source {
                alias: SOURCE.to_owned(),
                bootstrap_servers: consumer.bootstrap_servers.clone(),
                tls: consumer.tls.clone(),
                authentication: consumer.authentication.clone(),
                config: (!source_tls.is_empty()).then_some(source_tls),
            }),
            source_connector: Some(MirrorConnector {
                tasks_max: Some(spec.replicas.max(1).saturating_mul(consumer.num_streams.unwrap_or(1))),
                config: Some(connector(resource, of_consumer, of_producer)),
                state: (state != ConnectorState::Running).then_some(state),
                auto_restart: Some(AutoRestart { enabled: Some(true), ..AutoRestart::default() }),
                ..MirrorConnector::default()
            }),
            topics_pattern: topics(resource, findings),
            topics_exclude_pattern: Some(INTERNAL_TOPICS.to_owned()),
            ..Mirror::default()
        }]),
        resources: spec.resources.clone(),
        liveness_probe: spec.liveness_probe,
        readiness_probe: spec.readiness_probe,
        jvm_options: spec.jvm_options.clone(),
        logging: spec.logging.clone(),
        metrics_config: spec.metrics_config.clone(),
        tracing: spec.tracing.clone(),
        template: spec.template.as_ref().map(template),
        ..KafkaMirrorMaker2Spec::default()
    }
}

/// What must not change while it runs: what was mirrored so far is kept by the names that never change, and would be taken for that of the
/// other clusters or of the other group.
pub fn compare(made: &KafkaMirrorMaker2Spec, wanted: &KafkaMirrorMaker2Spec, findings: &mut Findings) {
    const ELSEWHERE: &str = "leads elsewhere than before, and MirrorMaker would go on with the offsets of the former cluster and leave records out: \
                           delete this resource and make one of another name, or write one address of before among the new ones";
    let of_source = |spec: &KafkaMirrorMaker2Spec| {
        let source = spec.mirrors.iter().flatten().next().and_then(|mirror| mirror.source.clone());
        addresses(source.map(|source| source.bootstrap_servers).unwrap_or_default().as_str())
    };
    if of_source(made).is_disjoint(&of_source(wanted)) {
        findings.problem("spec.consumer.bootstrapServers", ELSEWHERE);
    }
    let of_target = |spec: &KafkaMirrorMaker2Spec| {
        addresses(spec.target.as_ref().map(|target| target.bootstrap_servers.as_str()).unwrap_or_default())
    };
    if of_target(made).is_disjoint(&of_target(wanted)) {
        findings.problem("spec.producer.bootstrapServers", ELSEWHERE);
    }
    let group = |spec: &KafkaMirrorMaker2Spec| {
        let mirror = spec.mirrors.iter().flatten().next()?;
        mirror.source_connector.as_ref()?.config.as_ref()?.get(GROUP).cloned()
    };
    if group(made) != group(wanted) {
        findings.problem(
            "spec.consumer.groupId",
            "cannot change any more: MirrorMaker goes on from what it mirrored itself, wherever the group stands; write the former one",
        );
    }
}

fn addresses(list: &str) -> BTreeSet<String> {
    list.split(',').map(str::trim).filter(|address| !address.is_empty()).map(str::to_owned).collect()
}

/// The group of the workers. Two resources never have one: the namespace belongs to it.
fn group(resource: &KafkaMirrorMaker) -> String {
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let metadata = &resource.metadata;
    format!("mirror-maker.{}.{}", text(metadata.namespace.as_ref()), text(metadata.name.as_ref()))
}

/// The options of TLS, and the others.
fn without_tls(options: BTreeMap<String, String>) -> (FreeMap, BTreeMap<String, String>) {
    let (tls, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        options.into_iter().partition(|(name, _)| TLS_EXCEPTIONS.contains(&name.as_str()));
    (tls.into_iter().map(|(name, value)| (name, Value::String(value))).collect(), others)
}

/// The options of the connector. Records begin where the group of MirrorMaker 1 stood: a consumer without offsets of its own asks for
/// those that were committed for its group.
fn connector(
    resource: &KafkaMirrorMaker,
    consumer: BTreeMap<String, String>,
    producer: BTreeMap<String, String>,
) -> FreeMap {
    let mut config: FreeMap = [
        ("replication.policy.class", Value::from(IDENTITY)),
        ("replication.factor", Value::from(-1)),
        ("emit.offset-syncs.enabled", Value::from(false)),
        ("sync.topic.configs.enabled", Value::from(false)),
        ("sync.topic.acls.enabled", Value::from(false)),
        ("refresh.topics.interval.seconds", Value::from(REFRESH_SECONDS)),
        ("source.consumer.auto.offset.reset", Value::from(BEGIN)),
        (GROUP, Value::from(resource.spec.consumer.group_id.as_str())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    config.extend(
        consumer.into_iter().map(|(name, value)| (format!("source.consumer.{name}"), Value::String(value))),
    );
    config.extend(
        producer.into_iter().map(|(name, value)| (format!("producer.override.{name}"), Value::String(value))),
    );
    config
}

/// The topics to mirror.
fn topics(resource: &KafkaMirrorMaker, findings: &mut Findings) -> Option<String> {
    let spec = &resource.spec;
    match (&spec.include, &spec.whitelist) {
        (Some(include), None) => Some(include.clone()),
        (Some(include), Some(_)) => {
            findings.warn(
                reasons::DEPRECATED_FIELDS,
                "spec.whitelist: spec.include says what counts; remove whitelist",
            );
            Some(include.clone())
        }
        (None, Some(whitelist)) => {
            findings.warn(reasons::DEPRECATED_FIELDS, "spec.whitelist: write spec.include instead");
            Some(whitelist.clone())
        }
        (None, None) => {
            findings.problem(
                "spec.include",
                "is missing: write a regular expression of the topics to mirror, or several, separated by commas",
            );
            None
        }
    }
}

fn template(older: &KafkaMirrorMakerTemplate) -> KafkaConnectTemplate {
    KafkaConnectTemplate {
        pod: older.pod.clone(),
        connect_container: older.mirror_maker_container.clone(),
        pod_disruption_budget: older.pod_disruption_budget.clone(),
        service_account: older.service_account.clone(),
        ..KafkaConnectTemplate::default()
    }
}

/// Says what has another meaning, or none.
fn say(resource: &KafkaMirrorMaker, findings: &mut Findings) {
    if let Some(complaint) = last_applied::complaint(&resource.metadata) {
        findings.warn(reasons::UNKNOWN_FIELDS, complaint);
    }
    let group = group(resource);
    findings.warn(
        reasons::DEPRECATED_FIELDS,
        format!(
            "KafkaMirrorMaker: Kafka has no MirrorMaker 1 any more, and MirrorMaker 2 does what the resource asks for: the \
             KafkaMirrorMaker2 of the same name, with topics that keep their names. It begins at the offsets of the group {:?} and keeps its \
             own ones in the target, in topics that begin with {group:?}, which the user of spec.producer has to be allowed to make, write \
             and read, as the group {group:?}. Write a KafkaMirrorMaker2 instead",
            resource.spec.consumer.group_id
        ),
    );
    if resource.spec.producer.abort_on_send_failure == Some(false) {
        findings.warn(
            reasons::FIELDS_WITHOUT_EFFECT,
            "spec.producer.abortOnSendFailure: without effect: no record is left out; remove it",
        );
    }
    if resource.spec.template.as_ref().is_some_and(|template| template.deployment.is_some()) {
        findings.warn(
            reasons::FIELDS_WITHOUT_EFFECT,
            "spec.template.deployment: without effect: the pods belong to no Deployment; remove it",
        );
    }
}

/// The paths of a KafkaMirrorMaker2 and those of what they were made of.
const PATHS: [(&str, &str); 6] = [
    ("spec.target.config", "spec.producer.config"),
    ("spec.target", "spec.producer"),
    ("spec.mirrors[0].source.config", "spec.consumer.config"),
    ("spec.mirrors[0].source.", "spec.consumer."),
    ("spec.mirrors[0].topicsPattern", "spec.include"),
    ("spec.template.connectContainer", "spec.template.mirrorMakerContainer"),
];

/// Words of a KafkaMirrorMaker2 with the paths of the older resource.
pub fn in_older_words(message: &str) -> String {
    PATHS.iter().fold(message.to_owned(), |text, (new, old)| text.replace(new, old))
}
