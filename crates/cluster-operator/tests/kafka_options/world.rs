//! A real broker, and a cluster on paper that it belongs to: plans are made from what the broker says, and their calls go to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cluster_operator::kafka::{kafka_calls, option_calls};
use kafka_admin::{Admin, AdminConfig, ConfigChange, ConfigResource, ConfigSelection};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::plan::Plan;
use planner::restart_reason::RestartReason;
use serde_json::{Value, json};
use test_support::kafka::{KafkaNode, KafkaOptions};
use test_support::wait;

use crate::paper;

const POD: &str = "my-dual-0";

/// Options that stand in the file of every broker of the tests anyway: the resource says the same.
const BASE: &[(&str, &str)] =
    &[("log.cleaner.dedupe.buffer.size", "33554432"), ("num.network.threads", "2"), ("num.io.threads", "4")];

const RESOURCES: &str = "
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: dual, namespace: s1, uid: pool-uid, labels: {strimzi.io/cluster: my}}
spec:
  replicas: 1
  roles: [controller, broker]
  storage: {type: jbod, volumes: [{id: 0, type: ephemeral, kraftMetadata: shared}]}
---
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: my, namespace: s1, uid: kafka-uid, generation: 1}
spec:
  kafka:
    version: 4.3.1
    listeners:
      - {name: plain, port: 9092, type: internal, tls: false}
    config: {}
";

pub(crate) struct World {
    pub paper: paper::World,
    pub admin: Admin,
    node: KafkaNode,
    /// Restarts of the broker and why.
    pub restarts: Vec<Vec<RestartReason>>,
    /// Options that were set in Kafka by hand and that passes have undone. While a broker is slow to do as it is told, each pass says so.
    pub undone: BTreeSet<String>,
}

impl World {
    /// A broker that was started with the options, which the resource asks for too.
    pub(crate) async fn start(options: &[(&str, &str)]) -> Self {
        Self::formatted(options, &[]).await
    }

    /// The same, formatted with levels of features.
    pub(crate) async fn formatted(options: &[(&str, &str)], features: &[(&str, i16)]) -> Self {
        let mut paper = paper::World::new(paper::documents(RESOURCES));
        for (name, value) in BASE.iter().chain(options) {
            paper.kafka(|kafka| kafka["spec"]["kafka"]["config"][*name] = json!(value));
        }
        paper.settle();
        let mut settings =
            KafkaOptions { tls: false, authorizer: false, heap_mb: 400, ..KafkaOptions::default() };
        settings.config = user_lines(&paper.plan());
        settings.features = features.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        let node = KafkaNode::start(settings).await.unwrap();
        let admin = Admin::new(AdminConfig::brokers([node.bootstrap()])).unwrap();
        Self { paper, admin, node, restarts: Vec::new(), undone: BTreeSet::new() }
    }

    /// Writes an option into the resource, or takes it out.
    pub(crate) fn wish(&mut self, name: &str, value: Option<&str>) {
        self.paper.kafka(|kafka| {
            let config = kafka["spec"]["kafka"]["config"].as_object_mut().unwrap();
            match value {
                Some(value) => drop(config.insert(name.to_owned(), json!(value))),
                None => drop(config.remove(name)),
            }
        });
    }

    /// Writes the options of a single node into the resource, in place of those that are there.
    pub(crate) fn wish_for_node(&mut self, id: &str, options: &[(&str, Value)]) {
        let options: BTreeMap<&str, &Value> = options.iter().map(|(name, value)| (*name, value)).collect();
        self.paper.kafka(|kafka| kafka["spec"]["kafka"]["nodeConfig"] = json!({id: options}));
    }

    /// One pass: asks the broker, plans, carries the plan out but for restarts. The time goes on a little.
    pub(crate) async fn pass(&mut self) -> Plan {
        let mut view = kafka_calls::view(&self.admin).await.unwrap();
        view.broker_configs =
            option_calls::broker_options(&self.admin, &view.active_brokers).await.unwrap_or_default();
        self.paper.observed.view = Some(view);
        self.paper.default_quotas = Some(self.admin.describe_default_user_quotas().await.unwrap());
        let plan = self.paper.plan();
        self.paper.apply(&plan);
        self.undone.extend(plan.undone.iter().map(ToString::to_string));
        let mut memory = plan.options.clone();
        for call in &plan.calls {
            if matches!(call, AdminCall::AlterBrokerConfig { .. } | AdminCall::AlterDefaultUserQuotas { .. })
            {
                memory.refused.extend(kafka_calls::make(&self.admin, call).await.unwrap());
            }
        }
        self.paper.observed.options = memory;
        self.paper.now += Duration::from_secs(3);
        plan
    }

    /// Passes, and restarts that they ask for, until there is nothing left to do. Returns the last plan.
    pub(crate) async fn settle(&mut self) -> Plan {
        for _ in 0..40 {
            let plan = self.pass().await;
            let changes = plan.calls.iter().any(|call| matches!(call, AdminCall::AlterBrokerConfig { .. }));
            if let Some(restart) = plan.roll.wanted.first() {
                self.restarts.push(restart.reasons.iter().copied().collect());
                self.restart(&plan).await;
            } else if !changes {
                return plan;
            }
            // What a broker was told takes it a moment.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it goes on and on: {:?}", self.restarts);
    }

    /// The pod comes back as it stands in the plan, and the broker with the file that the plan wrote.
    pub(crate) async fn restart(&mut self, plan: &Plan) {
        self.node.stop().await.unwrap();
        let lines = user_lines(plan);
        self.node.set_config(&lines).unwrap();
        self.node.start_again().await.unwrap();
        self.paper.restart(POD);
        let answers = || async {
            let view = kafka_calls::view(&self.admin).await.ok()?;
            let options = option_calls::broker_options(&self.admin, &view.active_brokers).await.ok()?;
            options.contains_key(&0).then_some(())
        };
        wait::until(Duration::from_mins(1), "the broker answers", answers).await.unwrap();
    }

    /// Starts the broker with another file, as if the operator had never touched it.
    pub(crate) async fn start_with(&mut self, options: &[(&str, &str)]) {
        for (name, value) in options {
            self.wish(name, Some(value));
        }
        let plan = self.paper.plan();
        self.paper.apply(&plan);
        self.restart(&plan).await;
    }

    /// All values that the broker shows.
    pub(crate) async fn values(&self) -> BTreeMap<String, Option<String>> {
        let broker = ConfigResource::Broker(0);
        let mut answer = self.admin.describe_configs([broker.clone()], ConfigSelection::All).await.unwrap();
        let entries = answer.remove(&broker).unwrap().unwrap();
        entries.into_iter().map(|(name, entry)| (name, entry.value)).collect()
    }

    /// Values that are not what they were, and what they are.
    pub(crate) async fn differences(
        &self,
        before: &BTreeMap<String, Option<String>>,
    ) -> BTreeMap<String, (Option<String>, Option<String>)> {
        let now = self.values().await;
        let names = before.keys().chain(now.keys());
        let of = |values: &BTreeMap<String, Option<String>>, name| values.get(name).cloned().flatten();
        let pairs = names.map(|name| (name.clone(), (of(before, name), of(&now, name))));
        pairs.filter(|(_, (before, now))| before != now).collect()
    }

    /// Waits until the broker runs with a value.
    pub(crate) async fn runs_with(&self, name: &str, value: Option<&str>) {
        let shown = || async {
            let now = self.values().await.remove(name).flatten();
            (now.as_deref() == value).then_some(())
        };
        wait::until(Duration::from_secs(20), &format!("{name} is {value:?}"), shown).await.unwrap();
    }

    /// What somebody does with Kafka's own tools: on a broker, or on the default of all.
    pub(crate) async fn by_hand(&self, broker: Option<i32>, name: &str, value: Option<&str>) {
        let resource = broker.map_or(ConfigResource::ClusterDefault, ConfigResource::Broker);
        let change = value.map_or_else(|| ConfigChange::delete(name), |value| ConfigChange::set(name, value));
        let changes = BTreeMap::from([(resource.clone(), vec![change])]);
        let mut answer = self.admin.incremental_alter_configs(changes, false).await.unwrap();
        answer.remove(&resource).unwrap().unwrap();
        if value.is_some() {
            self.runs_with(name, value).await;
        }
    }
}

/// The lines of the user in the file of the broker.
pub(crate) fn user_lines(plan: &Plan) -> Vec<(String, String)> {
    let map = paper::object(plan, "ConfigMap", POD);
    let text = map["data"]["server.config"].as_str().unwrap();
    let properties = api::properties::parse(text).unwrap();
    let of_user = properties.iter().filter(|(name, _)| !planner::kafka::config::user::is_forbidden(name));
    of_user.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The conditions of a planned status.
pub(crate) fn warnings(plan: &Plan) -> Vec<Value> {
    let status = serde_json::to_value(&plan.status.kafka).unwrap();
    let conditions = status["conditions"].as_array().unwrap();
    conditions.iter().filter(|condition| condition["type"] == "Warning").cloned().collect()
}
