//! Answers what a plan asks for: out of Kubernetes, of Kafka, and with keys made for it. No policy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, future, stream};
use kafka_admin::{Admin, AdminError};
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::queue::Queue;
use operator_runtime::watch::ObjectRef;

use super::admin_clients::{Clients, Nodes};
use super::agents::Agents;
use super::call_error::call;
use super::failed_log_dirs::FailedLogDirMemory;
use super::late_answers::{Asking, Patience};
use super::node_addresses::KubernetesNodes;
use super::observe::Observer;
use super::silent_brokers::SilentBrokers;
use super::trial_writes::TrialWrites;
use super::turns::Turns;
use super::views::Views;
use super::{
    drain_calls, dry_run, failed_log_dirs, kafka_calls, leader_elections, log_dir_calls, lost_nodes,
    option_calls, roll_calls,
};
use crate::caches::Caches;
use crate::settings::Settings;
use crate::{holders, key_making};
use planner::kafka::answer::Answer;
use planner::kafka::drain_view::DrainView;
use planner::kafka::leaderless_view::LeaderlessView;
use planner::kafka::log_dirs_view::LogDirsView;
use planner::kafka::need::{Need, Pods, Silence, SilenceKind};
use planner::kafka::observed::{BrokerConfigs, Observed, TieredTopics};
use planner::kafka::operator_turns::TurnState;
use planner::kafka::pod_state;
use planner::kafka::roll_view::RollKafka;

/// Longest time for the questions before a restart: brokers and controllers are asked one after the other.
const ROLL_DEADLINE: Duration = Duration::from_secs(30);

/// Longest time for the same questions where a pass has come to its restarts and waits for the answer.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Answers the plans of all clusters. One for the whole process.
pub(crate) struct Answers {
    caches: Caches,
    applier: Applier,
    observer: Arc<Observer>,
    clients: Clients,
    nodes: KubernetesNodes,
    /// How each Kafka is, and which brokers hold replicas.
    views: Views,
    /// With which options the brokers run.
    configs: Asking<BTreeMap<i32, String>, BrokerConfigs>,
    /// How far partitions are moved off nodes.
    drains: Asking<BTreeSet<i32>, DrainView>,
    /// What lies in log directories on volumes that leave.
    log_dirs: Asking<BTreeMap<i32, BTreeSet<String>>, LogDirsView>,
    /// Which partitions without a leader brokers that started without a volume could lead.
    leaderless: Asking<BTreeMap<i32, String>, LeaderlessView>,
    /// Which log directories brokers cannot use any more.
    failed_log_dirs: FailedLogDirMemory,
    /// What a restart would do.
    rolls: Asking<Pods, RollKafka>,
    /// Which brokers did not answer that question.
    silent: SilentBrokers,
    /// Which default quotas of users each Kafka has.
    quotas: Asking<(), BTreeMap<String, f64>>,
    /// Which topics have remote storage.
    tiered: Asking<(), TieredTopics>,
    /// What the agents say.
    agents: Agents,
    /// Whose turn it is to restart pods for a new version of the operator.
    turns: Turns,
    /// Which writes of objects with overrides the API server refused.
    trials: TrialWrites,
}

impl Answers {
    /// From the parts that all passes share.
    pub(crate) fn new(
        caches: Caches,
        applier: Applier,
        observer: Arc<Observer>,
        settings: &Settings,
        queue: &Queue<ObjectRef>,
    ) -> Self {
        Self {
            caches,
            applier,
            observer,
            clients: Clients::new(settings.longest_answer),
            nodes: KubernetesNodes::default(),
            views: Views::new(queue),
            configs: Asking::second(queue.clone()),
            drains: Asking::second(queue.clone()),
            log_dirs: Asking::new(queue.clone()),
            leaderless: Asking::second(queue.clone()),
            failed_log_dirs: FailedLogDirMemory::new(queue),
            rolls: Asking::new(queue.clone()).with_deadline(ROLL_DEADLINE),
            silent: SilentBrokers::default(),
            quotas: Asking::second(queue.clone()),
            tiered: Asking::second(queue.clone()),
            agents: Agents::new(queue),
            turns: Turns::new(&settings.turns, queue),
            trials: TrialWrites::default(),
        }
    }

    /// The answer to each need. Nothing waits long for a Kafka that does not answer.
    pub(crate) async fn answer(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        needs: Vec<Need>,
        patience: &Patience,
    ) -> Vec<(Need, Answer)> {
        let mut answers = Vec::with_capacity(needs.len());
        let (mut materials, mut others) = (Vec::new(), Vec::new());
        for need in needs {
            match need {
                Need::Material(request) => materials.push(*request),
                other => others.push(other),
            }
        }
        for (request, made) in key_making::make(materials).await {
            let answer = made.map_or_else(|error| Answer::Unknown(error.into()), Answer::Material);
            answers.push((Need::Material(Box::new(request)), answer));
        }
        let asked = others.into_iter().map(|need| async move {
            let answer = self.ask(key, observed, &need, patience).await.unwrap_or_else(Answer::Unknown);
            (need, answer)
        });
        answers.extend(future::join_all(asked).await);
        answers
    }

    /// The answer to each need of a cluster that goes.
    pub(crate) async fn of_leaving(&self, key: &ObjectRef, needs: Vec<Need>) -> Vec<(Need, Answer)> {
        let mut answers = Vec::with_capacity(needs.len());
        for need in needs {
            let answer = match &need {
                Need::ResourceExists => self.observer.exists(key).await.map(Answer::ResourceExists),
                Need::TrustBundle => self.observer.trust_bundle(key).await.map(Answer::TrustBundle),
                Need::ClusterRoleBinding => {
                    self.observer.cluster_role_binding(key).await.map(Answer::ClusterRoleBinding)
                }
                Need::HeldTopics => Ok(self.held_topics(key).await.unwrap_or_else(Answer::Unknown)),
                _ => Ok(Answer::Unknown(Silence::new(SilenceKind::Nobody, "the cluster goes"))),
            };
            let late =
                |error: ApplyError| Answer::Unknown(Silence::new(SilenceKind::Late, error.to_string()));
            answers.push((need, answer.unwrap_or_else(late)));
        }
        answers
    }

    async fn held_topics(&self, key: &ObjectRef) -> Result<Answer, Silence> {
        match self.observer.held_topics(key).await {
            Ok(topics) => Ok(Answer::HeldTopics(topics)),
            Err(error) => {
                tracing::warn!(cluster = %key, error = %error, "cannot list the topics of a cluster that lose their finalizer");
                Err(Silence::new(SilenceKind::Late, error.to_string()))
            }
        }
    }

    async fn ask(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        need: &Need,
        patience: &Patience,
    ) -> Result<Answer, Silence> {
        match need {
            Need::StorageClass(class) => match self.observer.may_grow(class).await {
                Ok(may_grow) => Ok(Answer::StorageClass(may_grow)),
                Err(error) => Err(Silence::new(SilenceKind::Late, error.to_string())),
            },
            Need::NodeAddresses(names) => {
                self.nodes.addresses(&self.applier, names).await.map(Answer::NodeAddresses)
            }
            Need::KubernetesNodes(names) => {
                let late = |error: ApplyError| Silence::new(SilenceKind::Late, error.to_string());
                lost_nodes::look(&self.applier, names).await.map(Answer::KubernetesNodes).map_err(late)
            }
            Need::Holders(objects) => {
                holders::of(&self.applier, &self.caches, objects).await.map(Answer::Holders)
            }
            Need::HeldTopics => self.held_topics(key).await,
            Need::Turn => Ok(Answer::Turn(self.turns.ask(key, &self.caches))),
            Need::Admission { object, .. } => {
                dry_run::admission(&self.applier, &key.namespace, object).await.map(Answer::Admission)
            }
            Need::Writes(trials) => Ok(Answer::Writes(self.trials.answer(&self.applier, key, trials).await)),
            Need::AgentReports(pods) => {
                self.agents.reports(key, observed, pods, patience).await.map(Answer::AgentReports)
            }
            Need::CertificatesInUse(pods) => {
                let in_use = self.agents.certificates_in_use(key, observed, pods, patience).await;
                in_use.map(Answer::CertificatesInUse)
            }
            Need::Recoveries(pods) => {
                self.agents.recoveries(key, observed, pods, patience).await.map(Answer::Recoveries)
            }
            Need::UnresponsiveNodes(pods) => self
                .agents
                .unresponsive_nodes(key, observed, pods, patience)
                .await
                .map(Answer::UnresponsiveNodes),
            Need::ResourceExists | Need::TrustBundle | Need::ClusterRoleBinding => {
                Err(Silence::new(SilenceKind::Nobody, "the cluster lives"))
            }
            Need::Material(request) => {
                let why = format!("{} was not made", request.id());
                Err(Silence::new(SilenceKind::Refused, why))
            }
            Need::Kafka
            | Need::BrokersWithReplicas
            | Need::Drain(_)
            | Need::LogDirs(_)
            | Need::LeaderlessPartitions(_)
            | Need::FailedLogDirs(_)
            | Need::BrokerConfigs(_)
            | Need::Roll(_)
            | Need::DefaultQuotas
            | Need::TieredTopics => self.ask_kafka(key, observed, need, patience).await,
        }
    }

    /// What the brokers answer.
    async fn ask_kafka(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        need: &Need,
        patience: &Patience,
    ) -> Result<Answer, Silence> {
        match need {
            Need::Kafka => {
                let admin = self.brokers(key, observed)?;
                let question = async move { kafka_calls::view(&admin).await };
                self.views.view(key, patience, question).await.map(Answer::Kafka)
            }
            Need::BrokersWithReplicas => {
                let admin = self.brokers(key, observed)?;
                let question = async move {
                    future::try_join(kafka_calls::view(&admin), kafka_calls::brokers_with_replicas(&admin))
                        .await
                };
                self.views.replicas(key, patience, question).await.map(Answer::BrokersWithReplicas)
            }
            Need::Drain(nodes) => {
                let (admin, asked) = (self.brokers(key, observed)?, nodes.clone());
                let question = async move { drain_calls::look(&admin, &asked).await };
                self.drains.answer(key, nodes.clone(), patience, question).await.map(Answer::Drain)
            }
            Need::LogDirs(dirs) => {
                let (admin, asked) = (self.brokers(key, observed)?, dirs.clone());
                let question = async move { Ok::<_, Silence>(log_dir_calls::look(&admin, &asked).await) };
                self.log_dirs.answer(key, dirs.clone(), patience, question).await.map(Answer::LogDirs)
            }
            Need::LeaderlessPartitions(pods) => {
                let admin = self.brokers(key, observed)?;
                let brokers: BTreeSet<i32> = pods.keys().copied().collect();
                let question = async move { leader_elections::look(&admin, &brokers).await };
                let found = self.leaderless.answer(key, pods.clone(), patience, question).await;
                found.map(Answer::LeaderlessPartitions)
            }
            Need::FailedLogDirs(brokers) => {
                // Made only where a broker is to be asked.
                let ask = |due| match client_or_silence(
                    self.clients.unshared(key, Nodes::Brokers, observed),
                    key,
                ) {
                    Ok(admin) => failed_log_dirs::ask_brokers(&admin, due).left_stream(),
                    Err(_) => stream::empty().right_stream(),
                };
                let failed = self.failed_log_dirs.known_failures(key, brokers, patience, ask).await;
                Ok(Answer::FailedLogDirs(failed))
            }
            Need::BrokerConfigs(pods) => {
                let admin = self.brokers(key, observed)?;
                let brokers: BTreeSet<i32> = pods.keys().copied().collect();
                let question = async move { option_calls::broker_options(&admin, &brokers).await };
                self.configs.answer(key, pods.clone(), patience, question).await.map(Answer::BrokerConfigs)
            }
            Need::Roll(pods) => {
                let look = self.roll_question(key, observed)?;
                let question = async move { Ok::<_, Silence>(look.await) };
                self.rolls.answer(key, pods.clone(), patience, question).await.map(Answer::Roll)
            }
            Need::DefaultQuotas => {
                let admin = self.brokers(key, observed)?;
                let question = async move {
                    let quotas = admin.describe_default_user_quotas().await;
                    quotas.map_err(call("describe the default quotas of users"))
                };
                self.quotas.answer(key, (), patience, question).await.map(Answer::DefaultQuotas)
            }
            Need::TieredTopics => {
                let admin = self.brokers(key, observed)?;
                let question = async move { kafka_calls::tiered_topics(&admin).await };
                self.tiered.answer(key, (), patience, question).await.map(Answer::TieredTopics)
            }
            _ => Err(Silence::new(SilenceKind::Nobody, "brokers are not asked this")),
        }
    }

    /// What a restart would do, asked at this very moment.
    ///
    /// # Errors
    /// Why there is no answer within [`AT_ONCE`].
    pub(crate) async fn roll_at_once(
        &self,
        key: &ObjectRef,
        observed: &Observed,
    ) -> Result<RollKafka, Silence> {
        let question = self.roll_question(key, observed)?;
        let late = |_| {
            Silence::new(SilenceKind::Late, format!("Kafka has not answered within {} s", AT_ONCE.as_secs()))
        };
        tokio::time::timeout(AT_ONCE, question).await.map_err(late)
    }

    /// Asks what a restart would do.
    fn roll_question(
        &self,
        key: &ObjectRef,
        observed: &Observed,
    ) -> Result<impl Future<Output = RollKafka> + Send + use<>, Silence> {
        let of = |nodes| self.clients.get(key, nodes, observed).map_err(|error| client_silence(&error));
        let (brokers, controllers) = (of(Nodes::Brokers)?, of(Nodes::Controllers)?);
        let silent = self.silent.of(key);
        Ok(async move { roll_calls::roll_view(brokers, controllers, &silent).await })
    }

    /// The client for the brokers of a cluster.
    pub(crate) fn brokers(&self, key: &ObjectRef, observed: &Observed) -> Result<Admin, Silence> {
        client_or_silence(self.clients.get(key, Nodes::Brokers, observed), key)
    }

    /// Notes how far a cluster is with the pods that the present operator wants; `None`: it cannot be planned, or is left alone for now.
    pub(crate) fn turn_of(&self, key: &ObjectRef, state: Option<TurnState>) {
        self.turns.report(key, state);
    }

    /// Ends the questions to brokers where none is ready: an old failure must not keep a new broker from being asked.
    pub(crate) fn forget_unless_ready(&self, key: &ObjectRef, observed: &Observed) {
        if !pod_state::some_broker_is_ready(observed) {
            self.views.forget(key);
            self.configs.forget(key);
            self.drains.forget(key);
            self.log_dirs.forget(key);
            self.leaderless.forget(key);
            self.quotas.forget(key);
            self.tiered.forget(key);
        }
    }

    /// Ends the questions and clients of a cluster that is gone.
    pub(crate) fn forget(&self, key: &ObjectRef) {
        self.clients.forget(key);
        self.views.forget(key);
        self.configs.forget(key);
        self.drains.forget(key);
        self.log_dirs.forget(key);
        self.leaderless.forget(key);
        self.failed_log_dirs.forget(key);
        self.rolls.forget(key);
        self.silent.forget(key);
        self.quotas.forget(key);
        self.tiered.forget(key);
        self.agents.forget(key);
        self.trials.forget(key);
        self.turns.forget(key);
    }
}

/// The client for a cluster, if it could be made.
fn client_or_silence(made: Result<Option<Admin>, AdminError>, key: &ObjectRef) -> Result<Admin, Silence> {
    match made {
        Ok(Some(admin)) => Ok(admin),
        Ok(None) => Err(Silence::new(SilenceKind::Nobody, "no broker can be asked yet")),
        // A Secret that is broken: the plan mends it.
        Err(error) => {
            tracing::warn!(cluster = %key, error = %error, "cannot make a client for the cluster");
            Err(client_silence(&error))
        }
    }
}

fn client_silence(error: &AdminError) -> Silence {
    Silence::new(SilenceKind::Tls, format!("cannot make a client for the cluster: {error}"))
}
