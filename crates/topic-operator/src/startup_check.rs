//! The look at the brokers' own configuration when the operator starts.

use std::time::Duration;

use kafka_admin::{Admin, AdminError, ConfigResource, ConfigSelection, KafkaError};
use operator_runtime::queue::Backoff;
use tokio::sync::watch;

/// The key that is looked at.
const KEY: &str = "auto.create.topics.enable";
/// First pause before the brokers are asked again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Warns when brokers create topics by themselves: those would come into being with other settings than their
/// resources', or come back after their deletion. Asks until a broker answers: operator and brokers often start together.
pub(crate) async fn warn_of_topic_creation(admin: &mut watch::Receiver<Option<Admin>>) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let Ok(Some(admin)) = admin.wait_for(Option::is_some).await.map(|a| a.clone()) else { return };
        match brokers_create_topics(&admin).await {
            Ok(true) => {
                tracing::warn!(
                    "the brokers have {KEY}=true: a client that merely asks for a topic creates it; set it to false so that only KafkaTopics create topics"
                );
                return;
            }
            Ok(false) => return,
            Err(Trouble::Refused(error)) => {
                tracing::warn!(%error, "cannot read {KEY} of the brokers");
                return;
            }
            Err(Trouble::Passing(why)) => tracing::debug!(why, "cannot read {KEY} of the brokers yet"),
        }
        tokio::time::sleep(backoff.pause()).await;
    }
}

/// Why the configuration could not be read.
enum Trouble {
    Passing(String),
    Refused(KafkaError),
}

impl From<AdminError> for Trouble {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Api { error, .. } => error.into(),
            lost => Self::Passing(lost.to_string()),
        }
    }
}

impl From<KafkaError> for Trouble {
    fn from(error: KafkaError) -> Self {
        if error.is_retriable() { Self::Passing(error.to_string()) } else { Self::Refused(error) }
    }
}

async fn brokers_create_topics(admin: &Admin) -> Result<bool, Trouble> {
    let nodes = admin.describe_cluster().await?.nodes;
    let Some(node) = nodes.into_values().find(|node| !node.fenced) else {
        return Err(Trouble::Passing("no broker is ready".to_owned()));
    };
    let names = ConfigSelection::Names([KEY.to_owned()].into());
    for answer in admin.describe_configs([ConfigResource::Broker(node.id)], names).await?.into_values() {
        if answer?.get(KEY).is_some_and(|entry| entry.value.as_deref() == Some("true")) {
            return Ok(true);
        }
    }
    Ok(false)
}
