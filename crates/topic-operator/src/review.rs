//! The look at the brokers' own configuration when the operator starts.

use kafka_admin::{Admin, AdminError, ConfigResource, ConfigSelection};
use tokio::sync::watch;

/// Warns when brokers create topics by themselves: those would come into being with other settings than their
/// resources', or come back after their deletion.
pub(crate) async fn review(admin: &mut watch::Receiver<Option<Admin>>) {
    const KEY: &str = "auto.create.topics.enable";
    let Ok(admin) = admin.wait_for(Option::is_some).await.map(|a| a.clone()) else { return };
    let Some(admin) = admin else { return };
    let look = async {
        let Some(id) = admin.describe_cluster().await?.nodes.into_keys().next() else { return Ok(false) };
        let names = ConfigSelection::Names([KEY.to_owned()].into());
        let answers = admin.describe_configs([ConfigResource::Broker(id)], names).await?;
        Ok(answers
            .into_values()
            .filter_map(Result::ok)
            .any(|c| c.get(KEY).is_some_and(|e| e.value.as_deref() == Some("true"))))
    };
    let result: Result<bool, AdminError> = look.await;
    match result {
        Ok(true) => tracing::warn!(
            "the brokers have {KEY}=true: a client that merely asks for a topic creates it; set it to false so that only KafkaTopics create topics"
        ),
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "cannot read {KEY} of the brokers"),
    }
}
