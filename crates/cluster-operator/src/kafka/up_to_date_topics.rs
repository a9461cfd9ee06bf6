//! All topics, told by a broker that has taken in what the controllers had decided: a broker that lags would tell of replicas that have
//! moved already.

use std::collections::{BTreeMap, BTreeSet};

use kafka_admin::{Admin, ClusterDescription, TopicDescription};

use super::call_error::{Error, call};
use super::roll_calls::up_to_date;

/// All topics, told by the broker that is least behind, except these.
pub(super) async fn topics(
    admin: &Admin,
    cluster: &ClusterDescription,
    except: &BTreeSet<i32>,
) -> Result<BTreeMap<String, TopicDescription>, Error> {
    topics_of(admin, least_behind(admin, cluster, except).await?).await
}

/// All topics as this broker knows them; `None`: as any broker does.
pub(super) async fn topics_of(
    admin: &Admin,
    broker: Option<i32>,
) -> Result<BTreeMap<String, TopicDescription>, Error> {
    let topics = match broker {
        Some(broker) => admin.list_topics_of(broker).await,
        None => admin.list_topics().await,
    };
    topics.map_err(call("list the topics"))
}

/// The broker that is least behind, except these, when it has taken in what the controllers had decided; `None`: no other broker is up.
pub(super) async fn least_behind(
    admin: &Admin,
    cluster: &ClusterDescription,
    except: &BTreeSet<i32>,
) -> Result<Option<i32>, Error> {
    let quorum = admin.describe_quorum().await.map_err(call("describe the quorum"))?;
    let is_up = |id: i32| cluster.nodes.get(&id).is_some_and(|node| !node.fenced);
    let replicas = quorum.voters.iter().chain(&quorum.observers);
    let best = replicas
        .filter(|one| is_up(one.id) && !except.contains(&one.id))
        .max_by_key(|one| one.log_end_offset);
    let Some(best) = best else { return Ok(None) };
    up_to_date(admin, best.id, quorum.high_watermark).await?;
    Ok(Some(best.id))
}
