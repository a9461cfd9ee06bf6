//! Configuration of topics, brokers and the cluster.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use crate::batch::Weight;
use crate::client::{Route, misrouted};
use crate::error::check;
use crate::values::{string, text};
use crate::{Admin, AdminError, Outcomes};

/// What a configuration belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigResource {
    /// A topic.
    Topic(String),
    /// One node.
    Broker(i32),
    /// All nodes that have no value of their own.
    ClusterDefault,
    /// The log levels of one node.
    BrokerLogger(i32),
    /// A consumer, share or streams group.
    Group(String),
    /// A subscription to client metrics.
    ClientMetrics(String),
}

impl ConfigResource {
    fn wire(&self) -> (i8, String) {
        match self {
            Self::Topic(name) => (2, name.clone()),
            Self::Broker(id) => (4, id.to_string()),
            Self::ClusterDefault => (4, String::new()),
            Self::BrokerLogger(id) => (8, id.to_string()),
            Self::ClientMetrics(name) => (16, name.clone()),
            Self::Group(name) => (32, name.clone()),
        }
    }

    fn from_wire(kind: i8, name: &str) -> Option<Self> {
        match kind {
            2 => Some(Self::Topic(name.to_owned())),
            4 if name.is_empty() => Some(Self::ClusterDefault),
            4 => name.parse().ok().map(Self::Broker),
            8 => name.parse().ok().map(Self::BrokerLogger),
            16 => Some(Self::ClientMetrics(name.to_owned())),
            32 => Some(Self::Group(name.to_owned())),
            _ => None,
        }
    }

    /// Who describes it: a node knows its own values only.
    fn reader(&self) -> Route {
        match self {
            Self::Broker(id) | Self::BrokerLogger(id) => Route::Node(*id),
            _ => Route::Any,
        }
    }

    /// Who changes it. A broker checks the values of its own configuration and refuses another's; controllers store
    /// anybody's.
    fn writer(&self, controllers: bool) -> Route {
        match self {
            Self::BrokerLogger(id) => Route::Node(*id),
            Self::Broker(id) if !controllers => Route::Node(*id),
            _ => Route::Controller,
        }
    }
}

/// Which entries to describe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSelection {
    /// All of them.
    All,
    /// Those with these names.
    Names(BTreeSet<String>),
    /// Those that were set on the resource itself at run time.
    Dynamic,
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The value; `None` where there is none or it is sensitive.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: ConfigSource,
    /// Whether it can only be changed in the node's properties file.
    pub read_only: bool,
    /// Whether the value is hidden because it may be a secret.
    pub sensitive: bool,
    /// How Kafka reads the value.
    pub kind: ConfigKind,
}

/// How Kafka reads the text of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConfigKind {
    /// Not known to this client, or not told.
    #[default]
    Unknown,
    /// `true` or `false`.
    Boolean,
    /// A text that is taken as it is, the name of a class or a password among them.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Double,
    /// Texts with commas between them.
    List,
}

impl ConfigKind {
    pub(crate) fn from_wire(code: i8) -> Self {
        match code {
            1 => Self::Boolean,
            2 | 8 | 9 => Self::Text,
            3..=5 => Self::Integer,
            6 => Self::Double,
            7 => Self::List,
            _ => Self::Unknown,
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource {
    /// Not known to this client.
    Unknown,
    /// Set on the topic.
    DynamicTopic,
    /// Set on the node at run time.
    DynamicBroker,
    /// Set on all nodes at run time.
    DynamicDefaultBroker,
    /// In the node's properties file.
    StaticBroker,
    /// Kafka's default.
    Default,
    /// Log level set on the node at run time.
    DynamicBrokerLogger,
    /// Set on the subscription.
    ClientMetrics,
    /// Set on the group.
    Group,
}

impl ConfigSource {
    pub(crate) fn from_wire(code: i8) -> Self {
        match code {
            1 => Self::DynamicTopic,
            2 => Self::DynamicBroker,
            3 => Self::DynamicDefaultBroker,
            4 => Self::StaticBroker,
            5 => Self::Default,
            6 => Self::DynamicBrokerLogger,
            7 => Self::ClientMetrics,
            8 => Self::Group,
            _ => Self::Unknown,
        }
    }

    /// Whether the value was set at run time on a resource of this kind itself, and not inherited.
    fn is_own(self, resource: &ConfigResource) -> bool {
        self == match resource {
            ConfigResource::Topic(_) => Self::DynamicTopic,
            ConfigResource::Broker(_) => Self::DynamicBroker,
            ConfigResource::ClusterDefault => Self::DynamicDefaultBroker,
            ConfigResource::BrokerLogger(_) => Self::DynamicBrokerLogger,
            ConfigResource::Group(_) => Self::Group,
            ConfigResource::ClientMetrics(_) => Self::ClientMetrics,
        }
    }
}

/// A change of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    /// Name of the entry.
    pub name: String,
    /// What to do with it.
    pub operation: ConfigOperation,
}

/// What to do with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigOperation {
    /// Set the value.
    Set(String),
    /// Go back to what is inherited.
    Delete,
    /// Add items to a list.
    Append(String),
    /// Remove items from a list.
    Subtract(String),
}

impl ConfigChange {
    /// Sets a value.
    pub fn set(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), operation: ConfigOperation::Set(value.into()) }
    }

    /// Goes back to what is inherited.
    pub fn delete(name: impl Into<String>) -> Self {
        Self { name: name.into(), operation: ConfigOperation::Delete }
    }

    fn wire(self) -> AlterableConfig {
        let (operation, value) = match self.operation {
            ConfigOperation::Set(value) => (0, Some(value)),
            ConfigOperation::Delete => (1, None),
            ConfigOperation::Append(value) => (2, Some(value)),
            ConfigOperation::Subtract(value) => (3, Some(value)),
        };
        AlterableConfig::default()
            .with_name(text(self.name))
            .with_config_operation(operation)
            .with_value(value.map(text))
    }

    fn bytes(&self) -> usize {
        let value = match &self.operation {
            ConfigOperation::Set(value)
            | ConfigOperation::Append(value)
            | ConfigOperation::Subtract(value) => value.len(),
            ConfigOperation::Delete => 0,
        };
        self.name.len() + value + 10
    }
}

/// Topics in one request: their answers of some 2 KB each must not become one huge allocation.
const DESCRIBED_AT_ONCE: usize = 1_000;

impl Admin {
    /// Describes configurations. Each node is asked for its own; a node that does not answer fails its own items only.
    pub async fn describe_configs(
        &self,
        resources: impl IntoIterator<Item = ConfigResource>,
        select: ConfigSelection,
    ) -> Result<Outcomes<ConfigResource, BTreeMap<String, ConfigEntry>>, AdminError> {
        let resources: BTreeSet<ConfigResource> = resources.into_iter().collect();
        let groups = by_route(resources, ConfigResource::reader);
        let calls = groups.into_iter().map(|(route, resources)| self.describe_on(route, resources, &select));
        let mut outcomes = Outcomes::new();
        for answered in futures::future::join_all(calls).await {
            outcomes.append(&mut answered?);
        }
        Ok(outcomes)
    }

    async fn describe_on(
        &self,
        route: Route,
        resources: Vec<ConfigResource>,
        select: &ConfigSelection,
    ) -> Result<Outcomes<ConfigResource, BTreeMap<String, ConfigEntry>>, AdminError> {
        let keys = match select {
            ConfigSelection::Names(names) => {
                Some(names.iter().map(|name| text(name.as_str())).collect::<Vec<_>>())
            }
            ConfigSelection::All | ConfigSelection::Dynamic => None,
        };
        let weigh = |resource: &ConfigResource| Weight {
            bytes: resource.wire().1.len()
                + 20
                + keys.iter().flatten().map(|key| key.len() + 2).sum::<usize>(),
            records: 2_000 / DESCRIBED_AT_ONCE,
        };
        let describe = |resources: Vec<ConfigResource>| {
            let keys = keys.clone();
            async move {
                let resource = |resource: &ConfigResource| {
                    let (kind, name) = resource.wire();
                    DescribeConfigsResource::default()
                        .with_resource_type(kind)
                        .with_resource_name(text(name))
                        .with_configuration_keys(keys.clone())
                };
                let request = DescribeConfigsRequest::default()
                    .with_resources(resources.iter().map(resource).collect());
                let answer = self.call("describe configs", route, request, |_| Ok(())).await;
                // Reduced here, so that the full answers of all batches are never held together.
                match (answer, route) {
                    (Ok(answer), _) => {
                        Ok(answer.results.iter().filter_map(|result| entries(result, select)).collect())
                    }
                    (Err(error), Route::Node(_)) => {
                        let item = error.into_item();
                        Ok(resources.into_iter().map(|resource| (resource, Err(item.clone()))).collect())
                    }
                    (Err(error), _) => Err(error),
                }
            }
        };
        let answers: Vec<Outcomes<_, _>> = self.batched(resources, weigh, describe).await?;
        Ok(answers.into_iter().flatten().collect())
    }

    /// Changes single entries of configurations and leaves the others as they are. Each resource is changed as a whole
    /// or not at all. A change of `Broker` goes to that broker, which must be running; through controllers it goes to
    /// the active one.
    pub async fn incremental_alter_configs(
        &self,
        changes: BTreeMap<ConfigResource, Vec<ConfigChange>>,
        validate_only: bool,
    ) -> Result<Outcomes<ConfigResource>, AdminError> {
        let controllers = self.is_controllers();
        let groups = by_route(changes, |(resource, _)| resource.writer(controllers));
        let calls = groups.into_iter().map(|(route, changes)| self.alter_on(route, changes, validate_only));
        let mut outcomes = Outcomes::new();
        for answered in futures::future::join_all(calls).await {
            outcomes.append(&mut answered?);
        }
        Ok(outcomes)
    }

    async fn alter_on(
        &self,
        route: Route,
        changes: Vec<(ConfigResource, Vec<ConfigChange>)>,
        validate_only: bool,
    ) -> Result<Outcomes<ConfigResource>, AdminError> {
        let weigh = |(resource, changes): &(ConfigResource, Vec<ConfigChange>)| Weight {
            bytes: resource.wire().1.len() + 10 + changes.iter().map(ConfigChange::bytes).sum::<usize>(),
            records: changes.len(),
        };
        let alter = |changes: Vec<(ConfigResource, Vec<ConfigChange>)>| async move {
            let resources: Vec<ConfigResource> =
                changes.iter().map(|(resource, _)| resource.clone()).collect();
            let resource = |(resource, changes): (ConfigResource, Vec<ConfigChange>)| {
                let (kind, name) = resource.wire();
                AlterConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(text(name))
                    .with_configs(changes.into_iter().map(ConfigChange::wire).collect())
            };
            let request = IncrementalAlterConfigsRequest::default()
                .with_resources(changes.into_iter().map(resource).collect())
                .with_validate_only(validate_only);
            let answer = self
                .call("alter configs", route, request, |answer| {
                    misrouted(answer.responses.iter().map(|result| result.error_code))
                })
                .await;
            match (answer, route) {
                (Ok(answer), _) => Ok(answer
                    .responses
                    .iter()
                    .filter_map(|result| {
                        let resource =
                            ConfigResource::from_wire(result.resource_type, &result.resource_name)?;
                        Some((resource, check(result.error_code, result.error_message.as_ref())))
                    })
                    .collect()),
                (Err(error), Route::Node(_)) => {
                    let item = error.into_item();
                    Ok(resources.into_iter().map(|resource| (resource, Err(item.clone()))).collect())
                }
                (Err(error), _) => Err(error),
            }
        };
        let answers: Vec<Outcomes<_>> = self.batched(changes, weigh, alter).await?;
        Ok(answers.into_iter().flatten().collect())
    }
}

/// Groups items by the node that has to get them.
fn by_route<T>(items: impl IntoIterator<Item = T>, route: impl Fn(&T) -> Route) -> Vec<(Route, Vec<T>)> {
    let mut groups: Vec<(Route, Vec<T>)> = Vec::new();
    for item in items {
        let route = route(&item);
        match groups.iter_mut().find(|(of, _)| *of == route) {
            Some((_, group)) => group.push(item),
            None => groups.push((route, vec![item])),
        }
    }
    groups
}

type Described = (ConfigResource, Result<BTreeMap<String, ConfigEntry>, crate::KafkaError>);

fn entries(result: &DescribeConfigsResult, select: &ConfigSelection) -> Option<Described> {
    let resource = ConfigResource::from_wire(result.resource_type, &result.resource_name)?;
    let outcome = check(result.error_code, result.error_message.as_ref()).map(|()| {
        let mut entries = BTreeMap::new();
        for config in &result.configs {
            let source = ConfigSource::from_wire(config.config_source);
            if *select == ConfigSelection::Dynamic && !source.is_own(&resource) {
                continue;
            }
            let entry = ConfigEntry {
                value: config.value.as_ref().map(string),
                source,
                read_only: config.read_only,
                sensitive: config.is_sensitive,
                kind: ConfigKind::from_wire(config.config_type),
            };
            entries.insert(string(&config.name), entry);
        }
        entries
    });
    Some((resource, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_gets_its_own_configuration_and_the_rest_goes_to_anyone() {
        let resources = [
            ConfigResource::Topic("t".into()),
            ConfigResource::Broker(1),
            ConfigResource::BrokerLogger(1),
            ConfigResource::Broker(2),
            ConfigResource::ClusterDefault,
        ];
        let groups = by_route(resources, ConfigResource::reader);
        let routes: Vec<_> = groups.iter().map(|(route, group)| (*route, group.len())).collect();
        assert_eq!(routes, [(Route::Any, 2), (Route::Node(1), 2), (Route::Node(2), 1)]);
    }

    #[test]
    fn through_controllers_the_active_one_stores_a_brokers_configuration() {
        assert_eq!(ConfigResource::Broker(1).writer(false), Route::Node(1));
        assert_eq!(ConfigResource::Broker(1).writer(true), Route::Controller);
        assert_eq!(ConfigResource::BrokerLogger(1).writer(true), Route::Node(1));
        assert_eq!(ConfigResource::ClusterDefault.writer(false), Route::Controller);
    }

    #[test]
    fn resources_survive_the_wire() {
        for resource in [
            ConfigResource::Topic("a".into()),
            ConfigResource::Broker(7),
            ConfigResource::ClusterDefault,
            ConfigResource::BrokerLogger(7),
            ConfigResource::Group("g".into()),
            ConfigResource::ClientMetrics("m".into()),
        ] {
            let (kind, name) = resource.wire();
            assert_eq!(ConfigResource::from_wire(kind, &name), Some(resource));
        }
    }
}
