//! A namespace in the shared API server, a Kafka cluster, and an operator between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use api::{KafkaTopic, KafkaTopicSpec, conditions::Condition, kafka_topic::KafkaTopicStatus};
use kafka_admin::{Admin, AdminConfig, ConfigResource, ConfigSelection, TopicDescription};
use kube::{
    Api, Client,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use operator_runtime::{entity::Operator, env::Env, metrics::Metrics, program::Parts, server::Health};
use serde_json::{Value, json};
use test_support::{ApiServer, KafkaNode, KafkaOptions, Log, wait};
use tokio::{runtime::Runtime, sync::OnceCell};
use tokio_util::sync::CancellationToken;
use topic_operator::Settings;

/// Generous, because the machine may be compiling.
pub const DEADLINE: Duration = Duration::from_mins(1);
pub const CLUSTER: &str = "my";

static KAFKA: OnceCell<KafkaNode> = OnceCell::const_new();
static CRDS: OnceCell<()> = OnceCell::const_new();

/// The one-node Kafka that most tests share.
pub async fn kafka() -> &'static KafkaNode {
    KAFKA
        .get_or_init(|| async {
            KafkaNode::start(KafkaOptions::default().with_config("num.partitions", "2")).await.unwrap()
        })
        .await
}

pub struct World {
    pub server: &'static ApiServer,
    pub namespace: String,
    pub client: Client,
    pub topics: Api<KafkaTopic>,
    pub admin: Admin,
    pub variables: BTreeMap<String, String>,
    pub metrics: Metrics,
    /// The service account that the operator runs as; none: it may do everything.
    pub account: Option<(String, String)>,
    /// What all operators of this world said.
    pub log: Log,
    running: Option<Running>,
}

struct Running {
    runtime: Runtime,
    shutdown: CancellationToken,
    operator: Operator,
}

impl World {
    /// With the shared Kafka, and the operator running.
    pub async fn start() -> Self {
        let mut world = Self::with(&[kafka().await.bootstrap()]).await;
        world.start_operator().await;
        world
    }

    /// With these brokers; the operator does not run yet.
    pub async fn with(bootstrap: &[String]) -> Self {
        let server = ApiServer::shared().await.unwrap();
        CRDS.get_or_init(|| install_crds(server)).await;
        Self::on(server, bootstrap).await
    }

    /// With an API server of its own, which may be stopped. It is killed at the end of the test process.
    pub async fn alone(bootstrap: &[String]) -> Self {
        let server: &'static ApiServer = Box::leak(Box::new(ApiServer::start().await.unwrap()));
        install_crds(server).await;
        Self::on(server, bootstrap).await
    }

    async fn on(server: &'static ApiServer, bootstrap: &[String]) -> Self {
        let namespace = server.create_namespace("topics").await.unwrap();
        let client = server.client().await.unwrap();
        let variables = [
            ("STRIMZI_NAMESPACE", namespace.as_str()),
            ("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", &bootstrap.join(",")),
            ("STRIMZI_RESOURCE_LABELS", "strimzi.io/cluster=my"),
            ("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000"),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
        Self {
            server,
            topics: Api::namespaced(client.clone(), &namespace),
            admin: Admin::new(AdminConfig::brokers(bootstrap.to_vec())).unwrap(),
            variables,
            metrics: Metrics::new().unwrap(),
            account: None,
            log: Log::default(),
            running: None,
            namespace,
            client,
        }
    }

    /// Another cluster in the same namespace, with these brokers; its operator does not run yet.
    pub fn beside(&self, cluster: &str, bootstrap: &[String]) -> Self {
        let mut variables = self.variables.clone();
        variables.insert("STRIMZI_KAFKA_BOOTSTRAP_SERVERS".to_owned(), bootstrap.join(","));
        variables.insert("STRIMZI_RESOURCE_LABELS".to_owned(), format!("strimzi.io/cluster={cluster}"));
        Self {
            server: self.server,
            namespace: self.namespace.clone(),
            client: self.client.clone(),
            topics: self.topics.clone(),
            admin: Admin::new(AdminConfig::brokers(bootstrap.to_vec())).unwrap(),
            variables,
            metrics: Metrics::new().unwrap(),
            account: None,
            log: Log::default(),
            running: None,
        }
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Starts the operator in a runtime of its own, so that it can be killed like a process.
    pub async fn start_operator(&mut self) {
        let settings = Settings::from_env(&Env::from_map(self.variables.clone())).unwrap();
        let runtime = self.log.runtime("info").unwrap();
        let shutdown = CancellationToken::new();
        self.metrics = Metrics::new().unwrap();
        let (token, server, metrics) = (shutdown.clone(), self.server, self.metrics.clone());
        let account = self.account.clone();
        let start = runtime.spawn(async move {
            let client = match account {
                None => server.client().await.unwrap(),
                Some((namespace, name)) => {
                    server.client_for_service_account(&namespace, &name).await.unwrap()
                }
            };
            let parts = Parts { client, metrics, health: Health::new(), shutdown: token };
            topic_operator::start(settings, &parts).unwrap()
        });
        let operator = start.await.unwrap();
        self.running = Some(Running { runtime, shutdown, operator });
    }

    /// Ends the operator as SIGTERM does.
    pub async fn stop_operator(&mut self) {
        let running = self.running.take().unwrap();
        running.shutdown.cancel();
        running.operator.ended().await;
        running.runtime.shutdown_background();
    }

    /// Ends the operator as SIGKILL does: at once, wherever it is.
    pub fn kill_operator(&mut self) {
        self.running.take().unwrap().runtime.shutdown_background();
    }

    /// Requests the operator has sent to Kafka.
    pub fn requests(&self) -> u64 {
        self.running.as_ref().unwrap().operator.admin().map_or(0, |a| a.requests_sent())
    }

    /// A metric of the operator, summed over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.metrics.render().unwrap();
        text.lines()
            .filter(|l| l.starts_with(&format!("{name}{{")))
            .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// A name that no other test uses for a topic.
    pub fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.namespace)
    }

    pub async fn create(&self, name: &str, spec: Value) -> KafkaTopic {
        self.create_with(name, spec, json!({})).await
    }

    pub async fn create_with(&self, name: &str, spec: Value, annotations: Value) -> KafkaTopic {
        create_in(&self.topics, name, spec, annotations).await
    }

    pub async fn patch(&self, name: &str, patch: Value) -> KafkaTopic {
        self.topics.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
    }

    pub async fn delete(&self, name: &str) {
        self.topics.delete(name, &DeleteParams::default()).await.unwrap();
    }

    pub async fn gone(&self, name: &str) {
        wait::for_absence(&self.topics, name, DEADLINE).await.unwrap();
    }

    pub async fn until(&self, name: &str, what: &str, condition: impl Fn(&KafkaTopic) -> bool) -> KafkaTopic {
        wait::for_object(&self.topics, name, DEADLINE, what, condition).await.unwrap()
    }

    /// Waits until the resource as it is now is Ready.
    pub async fn ready(&self, name: &str) -> KafkaTopic {
        self.until(name, "is ready", |t| is_current(t) && is_ready(t)).await
    }

    /// Waits until the resource as it is now is refused for this reason; the answer is the message.
    pub async fn refused(&self, name: &str, reason: &str) -> String {
        let topic = self
            .until(name, &format!("is refused with {reason}"), |t| {
                is_current(t)
                    && condition(t, "Ready")
                        .is_some_and(|c| c.status == "False" && c.reason.as_deref() == Some(reason))
            })
            .await;
        condition(&topic, "Ready").unwrap().message.clone().unwrap_or_default()
    }

    pub async fn in_kafka(&self, topic: &str) -> Option<TopicDescription> {
        self.admin.describe_topics([topic.to_owned()]).await.unwrap().remove(topic).unwrap().ok()
    }

    /// Waits until Kafka's view of a topic (none: it does not exist) is as it should be.
    pub async fn until_in_kafka(
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
    pub async fn until_exists(&self, topic: &str) {
        self.until_in_kafka(topic, "exists", |t| t.is_some()).await;
    }

    /// What is set on the topic itself.
    pub async fn config_in_kafka(&self, topic: &str) -> BTreeMap<String, String> {
        let resource = ConfigResource::Topic(topic.to_owned());
        let answer = self.admin.describe_configs([resource.clone()], ConfigSelection::Dynamic).await.unwrap();
        match answer.get(&resource).unwrap() {
            Ok(entries) => {
                entries.iter().map(|(k, v)| (k.clone(), v.value.clone().unwrap_or_default())).collect()
            }
            Err(_) => BTreeMap::new(),
        }
    }

    pub async fn until_config(&self, topic: &str, what: &[(&str, &str)]) {
        let want: BTreeMap<String, String> =
            what.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let want = &want;
        wait::until(DEADLINE, &format!("{topic} is configured with {want:?}"), || async move {
            (self.config_in_kafka(topic).await == *want).then_some(())
        })
        .await
        .unwrap();
    }

    /// The version of every resource, to see that nothing was written.
    pub async fn versions(&self) -> BTreeSet<String> {
        let list = self.topics.list(&kube::api::ListParams::default()).await.unwrap();
        list.items
            .into_iter()
            .filter_map(|t| Some(format!("{:?} {}", t.metadata.name, t.metadata.resource_version?)))
            .collect()
    }
}

async fn install_crds(server: &ApiServer) {
    let crds: Vec<_> = api::crds::all().unwrap().into_iter().map(|file| file.crd).collect();
    server.install_crds(&crds).await.unwrap();
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.runtime.shutdown_background();
        }
    }
}

pub async fn create_in(topics: &Api<KafkaTopic>, name: &str, spec: Value, annotations: Value) -> KafkaTopic {
    topics.create(&PostParams::default(), &resource(name, spec, annotations)).await.unwrap()
}

pub fn resource(name: &str, spec: Value, annotations: Value) -> KafkaTopic {
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

pub fn status(topic: &KafkaTopic) -> KafkaTopicStatus {
    topic.status.clone().unwrap_or_default()
}

pub fn condition<'a>(topic: &'a KafkaTopic, kind: &str) -> Option<&'a Condition> {
    topic.status.as_ref()?.conditions.as_ref()?.iter().find(|c| c.type_ == kind)
}

pub fn is_ready(topic: &KafkaTopic) -> bool {
    condition(topic, "Ready").is_some_and(|c| c.status == "True")
}

pub fn is_current(topic: &KafkaTopic) -> bool {
    status(topic).observed_generation.is_some()
        && status(topic).observed_generation == topic.metadata.generation
}

pub fn has_finalizer(topic: &KafkaTopic) -> bool {
    topic.metadata.finalizers.iter().flatten().any(|f| f == "strimzi.io/topic-operator")
}
