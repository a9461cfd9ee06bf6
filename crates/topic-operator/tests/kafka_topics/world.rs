//! A namespace in the shared API server, a Kafka cluster, and an operator between them.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
};

use api::{KafkaTopic, KafkaTopicSpec, kafka_topic::KafkaTopicStatus};
use kafka_admin::{Admin, AdminConfig, ConfigResource, ConfigSelection, TopicDescription};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use operator_runtime::{entity::Operator, env::Env, program::Parts};
use serde_json::{Value, json};
use test_support::{KafkaNode, KafkaOptions, wait};
use test_world::UnderTest;
use tokio::sync::OnceCell;
use topic_operator::Settings;

pub(crate) use test_world::{
    DEADLINE,
    conditions::{condition, is_current, is_ready},
};

pub(crate) const CLUSTER: &str = "my";

static KAFKA: OnceCell<KafkaNode> = OnceCell::const_new();

/// The one-node Kafka that most tests share.
pub(crate) async fn kafka() -> &'static KafkaNode {
    KAFKA
        .get_or_init(|| async {
            KafkaNode::start(KafkaOptions::default().with_config("num.partitions", "2")).await.unwrap()
        })
        .await
}

/// The operator under test.
pub(crate) struct TopicOperator;

impl UnderTest for TopicOperator {
    type Resource = KafkaTopic;
    type Operator = Operator;

    fn start(env: &Env, parts: &Parts) -> Operator {
        topic_operator::start(Settings::from_env(env).unwrap(), parts).unwrap()
    }

    async fn ended(operator: Operator) {
        operator.ended().await;
    }
}

pub(crate) struct World {
    common: test_world::World<TopicOperator>,
    pub admin: Admin,
}

impl Deref for World {
    type Target = test_world::World<TopicOperator>;

    fn deref(&self) -> &Self::Target {
        &self.common
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.common
    }
}

impl World {
    /// With the shared Kafka, and the operator running.
    pub(crate) async fn start() -> Self {
        let mut world = Self::with(&[kafka().await.bootstrap()]).await;
        world.start_operator().await;
        world
    }

    /// With these brokers; the operator does not run yet.
    pub(crate) async fn with(bootstrap: &[String]) -> Self {
        let server = test_world::shared_server().await;
        Self::of(test_world::World::new(server, "topics").await, CLUSTER, bootstrap)
    }

    /// With an API server of its own, which may be stopped.
    pub(crate) async fn alone(bootstrap: &[String]) -> Self {
        let server = test_world::own_server().await;
        // All tests share one Kafka, and each server counts its namespaces by itself: the port tells the servers apart.
        let port = server.url().rsplit(':').next().unwrap_or_default().trim_end_matches('/').to_owned();
        Self::of(test_world::World::new(server, &format!("topics-{port}")).await, CLUSTER, bootstrap)
    }

    /// Another cluster in the same namespace, with these brokers; its operator does not run yet.
    pub(crate) async fn beside(&self, cluster: &str, bootstrap: &[String]) -> Self {
        let mut beside = test_world::World::within(self.server, &self.namespace).await;
        beside.variables = self.variables.clone();
        Self::of(beside, cluster, bootstrap)
    }

    fn of(mut common: test_world::World<TopicOperator>, cluster: &str, bootstrap: &[String]) -> Self {
        common.set("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", &bootstrap.join(","));
        common.set("STRIMZI_RESOURCE_LABELS", &format!("strimzi.io/cluster={cluster}"));
        common.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
        Self { common, admin: Admin::new(AdminConfig::brokers(bootstrap.to_vec())).unwrap() }
    }

    /// Requests the operator has sent to Kafka.
    pub(crate) fn requests(&self) -> u64 {
        self.operator().operator().admin().map_or(0, |admin| admin.requests_sent())
    }

    /// A name that no other test uses for a topic.
    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.namespace)
    }

    pub(crate) async fn create(&self, name: &str, spec: Value) -> KafkaTopic {
        self.create_with(name, spec, json!({})).await
    }

    pub(crate) async fn create_with(&self, name: &str, spec: Value, annotations: Value) -> KafkaTopic {
        create_in(&self.resources, name, spec, annotations).await
    }

    /// Waits until the resource as it is now is refused for this reason; the answer is the message.
    pub(crate) async fn refused(&self, name: &str, reason: &str) -> String {
        self.refused_for(name, |said| said == reason).await.1
    }

    pub(crate) async fn in_kafka(&self, topic: &str) -> Option<TopicDescription> {
        self.admin.describe_topics([topic.to_owned()]).await.unwrap().remove(topic).unwrap().ok()
    }

    /// Waits until Kafka's view of a topic (none: it does not exist) is as it should be.
    pub(crate) async fn until_in_kafka(
        &self,
        topic: &str,
        what: &str,
        as_it_should: impl Fn(Option<&TopicDescription>) -> bool,
    ) {
        let as_it_should = &as_it_should;
        wait::until(DEADLINE, &format!("{topic} {what}"), || async move {
            as_it_should(self.in_kafka(topic).await.as_ref()).then_some(())
        })
        .await
        .unwrap();
    }

    /// A broker may show a new topic a moment after its creation was answered.
    pub(crate) async fn until_exists(&self, topic: &str) {
        self.until_in_kafka(topic, "exists", |t| t.is_some()).await;
    }

    /// What is set on the topic itself.
    pub(crate) async fn config_in_kafka(&self, topic: &str) -> BTreeMap<String, String> {
        let resource = ConfigResource::Topic(topic.to_owned());
        let answer = self.admin.describe_configs([resource.clone()], ConfigSelection::Dynamic).await.unwrap();
        match answer.get(&resource).unwrap() {
            Ok(entries) => {
                entries.iter().map(|(k, v)| (k.clone(), v.value.clone().unwrap_or_default())).collect()
            }
            Err(_) => BTreeMap::new(),
        }
    }

    pub(crate) async fn until_config(&self, topic: &str, what: &[(&str, &str)]) {
        let want: BTreeMap<String, String> =
            what.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let want = &want;
        wait::until(DEADLINE, &format!("{topic} is configured with {want:?}"), || async move {
            (self.config_in_kafka(topic).await == *want).then_some(())
        })
        .await
        .unwrap();
    }
}

pub(crate) async fn create_in(
    topics: &Api<KafkaTopic>,
    name: &str,
    spec: Value,
    annotations: Value,
) -> KafkaTopic {
    topics.create(&PostParams::default(), &resource(name, spec, annotations)).await.unwrap()
}

pub(crate) fn resource(name: &str, spec: Value, annotations: Value) -> KafkaTopic {
    let spec: KafkaTopicSpec = serde_json::from_value(spec).unwrap();
    KafkaTopic {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([("strimzi.io/cluster".to_owned(), CLUSTER.to_owned())].into()),
            annotations: serde_json::from_value(annotations).unwrap(),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    }
}

pub(crate) fn status(topic: &KafkaTopic) -> KafkaTopicStatus {
    topic.status.clone().unwrap_or_default()
}

pub(crate) fn has_finalizer(topic: &KafkaTopic) -> bool {
    topic.metadata.finalizers.iter().flatten().any(|f| f == "strimzi.io/topic-operator")
}
