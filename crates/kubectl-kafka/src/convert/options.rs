//! Options of Kafka: what of them goes into `spec.kafka.config`, and what has a field of its own.

use std::collections::BTreeMap;

use api::kafka::{Authorization, AuthorizationType};
use api::schema::FreeMap;
use planner::kafka::config::model::{Model, ValueType};
use planner::kafka::config::user;
use planner::versions;
use serde_json::Value;

use super::notes::Notes;
use super::secrets;

/// Options that Kafka does not have without ZooKeeper, or any more, by the beginning of their names; what is said of each.
const GONE: &[(&str, &str)] = &[
    ("zookeeper.", "Kafka runs without ZooKeeper: it is not needed"),
    (
        "inter.broker.protocol.version",
        "spec.kafka.metadataVersion says what it said; the default is the newest",
    ),
    ("log.message.format.version", "brokers write the newest format: it is not needed"),
    ("security.inter.broker.protocol", BETWEEN_BROKERS),
    ("inter.broker.listener.name", BETWEEN_BROKERS),
    ("control.plane.listener.name", BETWEEN_BROKERS),
    ("sasl.mechanism.inter.broker.protocol", BETWEEN_BROKERS),
    ("cruise.control.", OF_CRUISE_CONTROL),
    (
        "leader.imbalance.per.broker.percentage",
        "Kafka moves every leader back at leader.imbalance.check.interval.seconds, whatever their share",
    ),
];

const BETWEEN_BROKERS: &str =
    "brokers talk to each other on a listener of the operator's own, with client certificates";
const OF_CRUISE_CONTROL: &str = "nothing reports to Cruise Control: the operator asks the brokers itself";

/// Options that must not exceed the number of brokers.
const AT_MOST_BROKERS: &[&str] = &[
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
];

/// Of these, those whose default fits three brokers and more.
const MADE_FOR_THREE: &[&str] = &[
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
];

/// An option with the path where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    /// Its value.
    pub value: String,
    /// Where it stands.
    pub path: String,
}

/// Options by name.
pub(super) type Options = BTreeMap<String, Given>;

/// Reads a text as Java reads properties.
pub(super) fn parse(text: &str, path: &str, notes: &mut Notes) -> Options {
    let Ok(properties) = api::properties::parse(text) else {
        notes.lost(path, &Value::Null, "cannot be read as Java properties, and was left out: correct it");
        return Options::new();
    };
    let given = properties.iter().map(|(name, value)| {
        let given = Given { value: value.trim().to_owned(), path: format!("{path}.{name}") };
        (name.trim().to_owned(), given)
    });
    given.collect()
}

/// What options come to.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// `spec.kafka.config`.
    pub config: FreeMap,
    /// `spec.kafka.authorization`.
    pub authorization: Option<Authorization>,
    /// Options whose values are secrets.
    pub secret: Options,
}

/// Sorts options: into the configuration, into fields of their own, and into notes.
pub(super) fn sort(mut options: Options, brokers: usize, notes: &mut Notes) -> Sorted {
    let Some(version) = versions::default_version() else { return Sorted::default() };
    let model = version.model();
    let mut sorted = Sorted { authorization: authorization(&mut options, notes), ..Sorted::default() };
    for (name, given) in options {
        let shown = Value::from(given.value.as_str());
        let name = known_name(&name, &given, model, notes);
        if let Some(why) = gone(&name) {
            notes.changed(given.path, &shown, why);
        } else if !planner::option_text::is_option_name(&name) {
            notes.lost(given.path, &shown, "is no name of an option, and was left out");
        } else if user::is_forbidden(&name) {
            notes.lost(
                given.path,
                &shown,
                "is set by the operator, and was left out: listeners, storage, rack and security have fields of their own",
            );
        } else if !model.options.contains_key(&name) {
            notes.lost(
                given.path,
                &shown,
                format!("Kafka {} does not know the option: it was left out", version.version),
            );
        } else if needs_a_class(&name, &given.value, model) {
            reporter(given, &name, notes);
        } else if let Some(complaint) = model.complaint(&name, &given.value) {
            let text = if secrets::is_secret(&name, &shown) {
                "has a value that Kafka does not take".to_owned()
            } else {
                complaint
            };
            notes.lost(given.path, &shown, format!("{text}: it was left out"));
        } else if secrets::is_secret(&name, &shown) {
            sorted.secret.insert(name, given);
        } else {
            sorted.config.insert(name.clone(), typed(&given.value));
            bounded(&name, &given, brokers, &mut sorted.config, notes);
        }
    }
    for name in MADE_FOR_THREE {
        if (1..3).contains(&brokers) && !sorted.config.contains_key(*name) {
            sorted.config.insert((*name).to_owned(), Value::from(brokers));
        }
    }
    sorted
}

/// Why an option is not needed any more; `None`: it is.
pub(super) fn gone(name: &str) -> Option<&'static str> {
    GONE.iter().find(|(start, _)| name.starts_with(start)).map(|(_, why)| *why)
}

/// The authorizer of a configuration.
fn authorization(options: &mut Options, notes: &mut Notes) -> Option<Authorization> {
    let class = options.remove("authorizer.class.name").filter(|given| !given.value.is_empty());
    let super_users = options.remove("super.users");
    let Some(class) = class else {
        if let Some(given) = super_users {
            notes.lost(
                given.path,
                &Value::from(given.value),
                "means nothing without an authorizer, and was left out",
            );
        }
        return None;
    };
    let own = [
        "kafka.security.authorizer.AclAuthorizer",
        "kafka.security.auth.SimpleAclAuthorizer",
        "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    ];
    let users: Vec<String> = super_users
        .iter()
        .flat_map(|given| given.value.split(';'))
        .map(|user| user.trim().strip_prefix("User:").unwrap_or(user.trim()).trim().to_owned())
        .filter(|user| !user.is_empty() && !user.chars().any(char::is_control))
        .collect();
    let super_users = Some(users).filter(|users| !users.is_empty());
    if own.contains(&class.value.as_str()) {
        return Some(Authorization {
            type_: AuthorizationType::Simple,
            authorizer_class: None,
            super_users,
            supports_admin_api: None,
        });
    }
    notes.lost(
        class.path,
        &Value::from(class.value.as_str()),
        "is no authorizer of Kafka's own: to use it, write spec.kafka.authorization {type: custom, authorizerClass: …} and an image \
         with the class; until then authorization is simple, and only super users have rights that no KafkaUser gives",
    );
    Some(Authorization {
        type_: AuthorizationType::Simple,
        authorizer_class: None,
        super_users,
        supports_admin_api: None,
    })
}

/// The name of an option, also where it is written with low lines in place of dots.
fn known_name(name: &str, given: &Given, model: &Model, notes: &mut Notes) -> String {
    let dotted = name.replace('_', ".");
    if model.options.contains_key(name) || dotted == name || !model.options.contains_key(&dotted) {
        return name.to_owned();
    }
    notes.changed(
        given.path.clone(),
        &Value::from(given.value.as_str()),
        format!("Kafka knows the option as {dotted}: it is set now"),
    );
    dotted
}

/// Whether a value names a class that the image of Kafka does not have.
fn needs_a_class(name: &str, value: &str, model: &Model) -> bool {
    let is_class = model.options.get(name).is_some_and(|option| option.kind == ValueType::Class)
        || name == "metric.reporters"
        || name.ends_with("policy.class.name");
    let own = |class: &str| {
        class.is_empty() || class.starts_with("org.apache.kafka.") || class.starts_with("kafka.")
    };
    is_class && !value.split(',').all(|class| own(class.trim()))
}

fn reporter(given: Given, name: &str, notes: &mut Notes) {
    let shown = Value::from(given.value.as_str());
    if name == "metric.reporters"
        && given.value.contains("CruiseControlMetricsReporter")
        && !given.value.contains(',')
    {
        notes.changed(given.path, &shown, OF_CRUISE_CONTROL);
        return;
    }
    notes.lost(
        given.path,
        &shown,
        format!("Kafka's own image has no such class: to use it, name an image that has it in spec.kafka.image and set {name} in spec.kafka.config"),
    );
}

/// More replicas than brokers cannot be.
fn bounded(name: &str, given: &Given, brokers: usize, config: &mut FreeMap, notes: &mut Notes) {
    let value = given.value.parse::<usize>().ok().filter(|value| *value > brokers && brokers > 0);
    if value.is_some() && AT_MOST_BROKERS.contains(&name) {
        notes.lost(
            given.path.clone(),
            &Value::from(given.value.as_str()),
            format!("is more than the {brokers} brokers: {brokers} was written; raise it when there are more brokers"),
        );
        config.insert(name.to_owned(), Value::from(brokers));
    }
}

/// A value as YAML has it: numbers and flags without quotes, where the text stays the same.
pub(super) fn typed(text: &str) -> Value {
    if let Ok(flag) = text.parse::<bool>() {
        return Value::from(flag);
    }
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => Value::from(number),
        _ => Value::from(text),
    }
}
