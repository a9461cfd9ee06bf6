//! Hands moves of replicas to Kafka, throttled, and takes the throttles off again.
//!
//! Level-triggered: what runs is read from Kafka at every look, and `status.replicasChange` is written *before* the
//! first throttle is set. So an operator that was killed at any point finds what it has to go on with. The throttles of a
//! topic go before its status says that the change has ended; the rates of brokers go after that, once nothing moves any
//! more, and an operator that starts looks for rates that an earlier process left.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{StreamExt, stream};
use kafka_admin::{
    Admin, AdminError, ConfigChange, ConfigResource, ConfigSelection, ConfigSource, KafkaError,
    TopicPartition,
};

use rebalance::throttle::BROKER_RATES;

use crate::{
    batch::{Context, Next},
    config::THROTTLE_KEYS,
    job::Job,
    kubernetes::Written,
    metrics::Call,
    plan::Replicas,
    status::compose,
    topic::{ChangeState, refusal},
};

/// How long the removal of rates may take: no batch begins meanwhile.
const CLEARING: Duration = Duration::from_secs(5);

/// Starts the planned moves of a batch.
pub(crate) async fn carry_out(context: &Context, admin: &Admin, jobs: &mut [Job]) -> Result<(), AdminError> {
    if !jobs.iter().any(|j| matches!(j.plan.replicas, Replicas::Start { .. })) {
        return Ok(());
    }
    announce(context, jobs).await;
    throttle(context, admin, jobs).await?;
    start(admin, jobs).await
}

/// Writes `pending` into the statuses that do not speak of a change yet.
async fn announce(context: &Context, jobs: &mut [Job]) {
    let now = api::conditions::format_time(jiff::Timestamp::now());
    let new = jobs.iter_mut().filter(|j| {
        matches!(j.plan.replicas, Replicas::Start { .. }) && j.current.status.replicas_change.is_none()
    });
    stream::iter(new)
        .for_each_concurrent(16, |job| {
            let status = compose(&job.current, &job.verdict(), &now);
            async move {
                match context.kubernetes.write_status(&job.current, &status).await {
                    Ok(Written::Now(written)) => job.current = *written,
                    // Without the announcement nothing starts: a crash would leave throttles that no status tells of.
                    Ok(Written::Gone) => postpone(job, "the resource is gone".into()),
                    Err(error) => postpone(job, error.to_string()),
                }
            }
        })
        .await;
}

fn postpone(job: &mut Job, why: String) {
    job.plan.replicas = Replicas::Wait;
    job.passing = Some(why);
    job.next = Next::Retry;
}

async fn throttle(context: &Context, admin: &Admin, jobs: &mut [Job]) -> Result<(), AdminError> {
    let Some(rate) = context.throttle else { return Ok(()) };
    let mut changes = BTreeMap::new();
    let mut brokers = BTreeSet::new();
    for job in jobs.iter() {
        let Replicas::Start { throttles, .. } = &job.plan.replicas else { continue };
        let own = job.current.config.as_ref().is_ok_and(|c| THROTTLE_KEYS.iter().any(|k| c.get(k).is_some()));
        if throttles.followers.is_empty() || own {
            continue;
        }
        brokers.extend(throttles.brokers.iter().copied());
        changes.insert(
            ConfigResource::Topic(job.current.topic_name.to_string()),
            vec![
                ConfigChange::set(THROTTLE_KEYS[0], throttles.leaders.clone()),
                ConfigChange::set(THROTTLE_KEYS[1], throttles.followers.clone()),
            ],
        );
    }
    if brokers.is_empty() {
        return Ok(());
    }
    for (broker, has) in rates_of(admin, brokers).await? {
        // A rate that a user or a tool set stays as it is.
        let missing: Vec<ConfigChange> = BROKER_RATES
            .iter()
            .filter(|name| !has.contains_key(**name))
            .map(|name| ConfigChange::set(*name, rate.to_string()))
            .collect();
        if !missing.is_empty() {
            changes.insert(ConfigResource::Broker(broker), missing);
        }
    }
    let outcomes =
        context.metrics.time(Call::AlterConfigs, admin.incremental_alter_configs(changes, false)).await?;
    for (resource, outcome) in outcomes {
        let Err(error) = outcome else { continue };
        tracing::warn!(?resource, %error, "cannot set a replication throttle");
        if let ConfigResource::Topic(name) = resource
            && let Some(job) = jobs.iter_mut().find(|j| *j.current.topic_name == *name)
        {
            postpone(job, error.to_string());
        }
    }
    Ok(())
}

async fn start(admin: &Admin, jobs: &mut [Job]) -> Result<(), AdminError> {
    let mut changes = BTreeMap::new();
    for job in jobs.iter() {
        let Replicas::Start { moves, .. } = &job.plan.replicas else { continue };
        for change in moves {
            let at = TopicPartition::new(job.current.topic_name.to_string(), change.partition);
            changes.insert(at, Some(change.replicas.clone()));
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    let mut refused: BTreeMap<String, KafkaError> = BTreeMap::new();
    let told =
        |at: &str, error: &KafkaError| refusal(&format!("replicas cannot be moved{at}"), "Alter", error);
    match admin.alter_partition_reassignments(changes.clone()).await {
        Ok(outcomes) => {
            for (at, outcome) in outcomes {
                if let Err(error) = outcome {
                    let error = told(&format!(", partition {}", at.partition), &error);
                    refused.entry(at.topic).or_insert(error);
                }
            }
        }
        Err(AdminError::Api { error, .. }) => {
            refused.extend(changes.into_keys().map(|at| (at.topic, told("", &error))));
        }
        Err(error) => return Err(error),
    }
    for job in jobs.iter_mut() {
        let Replicas::Start { moves, .. } = &job.plan.replicas else { continue };
        let Some(change) = &mut job.change else { continue };
        if let Some(error) = refused.remove(&*job.current.topic_name) {
            change.message = Some(error.to_string().into());
            job.fail(&error);
        } else {
            change.state = ChangeState::Ongoing;
            change.message = Some(format!("{} partitions are being moved", moves.len()).into());
            tracing::info!(
                topic = %job.current.topic_name,
                partitions = moves.len(),
                replicas = change.target,
                "began to change the replication factor"
            );
        }
    }
    Ok(())
}

/// Rates set on brokers at run time, by broker.
async fn rates_of(
    admin: &Admin,
    brokers: impl IntoIterator<Item = i32>,
) -> Result<BTreeMap<i32, BTreeMap<String, String>>, AdminError> {
    let names = ConfigSelection::Names(BROKER_RATES.iter().map(|n| (*n).to_owned()).collect());
    let resources = brokers.into_iter().map(ConfigResource::Broker);
    let mut out = BTreeMap::new();
    for (resource, entries) in admin.describe_configs(resources, names).await? {
        let ConfigResource::Broker(id) = resource else { continue };
        // A broker that is down has no rate that could be read; it copies nothing either.
        let Ok(entries) = entries else { continue };
        let set = entries
            .into_iter()
            .filter(|(_, entry)| entry.source == ConfigSource::DynamicBroker)
            .filter_map(|(name, entry)| Some((name, entry.value?)));
        out.insert(id, set.collect());
    }
    Ok(out)
}

/// Removes the rates that this operator set, unless replicas are being moved, by this operator or by a tool: the rates may be meant for these moves.
/// Only a rate equal to its own setting counts as its own. True when that is done; false when it has to wait.
pub(crate) async fn clear_rates(context: &Context) -> bool {
    let Some(rate) = context.throttle.map(|r| r.to_string()) else { return true };
    let Ok(admin) = context.admin() else { return false };
    let work = async {
        if !admin.list_partition_reassignments(None).await?.is_empty() {
            return Ok(false);
        }
        let brokers = admin.describe_cluster().await?.nodes.into_keys();
        let mut changes = BTreeMap::new();
        for (broker, has) in rates_of(&admin, brokers).await? {
            let ours: Vec<ConfigChange> = has
                .into_iter()
                .filter(|(_, value)| *value == rate)
                .map(|(name, _)| ConfigChange::delete(name))
                .collect();
            if !ours.is_empty() {
                changes.insert(ConfigResource::Broker(broker), ours);
            }
        }
        if !changes.is_empty() {
            admin.incremental_alter_configs(changes, false).await?;
        }
        Ok(true)
    };
    match tokio::time::timeout(CLEARING, work).await {
        Ok(Ok(done)) => done,
        // An operator without the right to move replicas has set no rates either.
        Ok(Err(AdminError::Api { .. })) => true,
        Ok(Err(error)) => {
            tracing::debug!(%error, "cannot remove the brokers' replication throttle rates now");
            false
        }
        Err(_) => false,
    }
}
