//! Calls about the cluster as a whole: its nodes, its feature levels, its registrations.

use std::collections::BTreeMap;

use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    ApiVersionsRequest, BrokerId, UnregisterBrokerRequest, UpdateFeaturesRequest,
};

use crate::client::Route;
use crate::error::check;
use crate::nodes::ClusterDescription;
use crate::values::{string, text};
use crate::{Admin, AdminError};

/// Feature levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Features {
    /// Level in force of each feature, for example `metadata.version`.
    pub finalized: BTreeMap<String, i16>,
    /// Lowest and highest level that the node which was asked can run with.
    pub supported: BTreeMap<String, (i16, i16)>,
    /// Grows with each change; -1 while unknown.
    pub epoch: i64,
}

/// A wanted feature level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureUpdate {
    /// Name, for example `metadata.version`.
    pub name: String,
    /// Level; 0 switches the feature off.
    pub level: i16,
    /// Direction that is allowed.
    pub kind: FeatureUpdateKind,
}

/// Direction of a change of a feature level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureUpdateKind {
    /// Only up.
    Upgrade,
    /// Down, if no metadata is lost.
    SafeDowngrade,
    /// Down, even if metadata is lost.
    UnsafeDowngrade,
}

impl Admin {
    /// Id and nodes of the cluster: brokers (fenced ones included) from brokers, controllers from controllers.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, AdminError> {
        let answer = self
            .call("describe cluster", Route::Any, self.cluster_request(), |answer| {
                check(answer.error_code, answer.error_message.as_ref())
            })
            .await?;
        self.remember(&answer).map(|cluster| ClusterDescription::clone(&cluster))
    }

    /// Feature levels in force, and those that the node which answers could run with.
    pub async fn describe_features(&self) -> Result<Features, AdminError> {
        self.features(Route::Any).await
    }

    /// Up to which offset of the metadata log this broker knows the cluster; `None`: it does not say.
    pub async fn metadata_offset_of(&self, broker: i32) -> Result<Option<i64>, AdminError> {
        // The epoch of the features is the offset of the whole image that they are a part of.
        let features = self.features(Route::Node(broker)).await?;
        Ok((features.epoch >= 0).then_some(features.epoch))
    }

    async fn features(&self, route: Route) -> Result<Features, AdminError> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(text("kastellan"))
            .with_client_software_version(text(env!("CARGO_PKG_VERSION")));
        let answer =
            self.call("describe features", route, request, |answer| check(answer.error_code, None)).await?;
        let finalized = answer.finalized_features.iter();
        let supported = answer.supported_features.iter();
        Ok(Features {
            finalized: finalized.map(|feature| (string(&feature.name), feature.max_version_level)).collect(),
            supported: supported
                .map(|feature| (string(&feature.name), (feature.min_version, feature.max_version)))
                .collect(),
            epoch: answer.finalized_features_epoch,
        })
    }

    /// Changes feature levels, all or none.
    pub async fn update_features(
        &self,
        updates: Vec<FeatureUpdate>,
        validate_only: bool,
    ) -> Result<(), AdminError> {
        let key = |update: FeatureUpdate| {
            FeatureUpdateKey::default()
                .with_feature(text(update.name))
                .with_max_version_level(update.level)
                .with_upgrade_type(match update.kind {
                    FeatureUpdateKind::Upgrade => 1,
                    FeatureUpdateKind::SafeDowngrade => 2,
                    FeatureUpdateKind::UnsafeDowngrade => 3,
                })
        };
        let request = UpdateFeaturesRequest::default()
            .with_timeout_ms(self.server_timeout_ms())
            .with_feature_updates(updates.into_iter().map(key).collect())
            .with_validate_only(validate_only);
        let check_all = |answer: &kafka_protocol::messages::UpdateFeaturesResponse| {
            check(answer.error_code, answer.error_message.as_ref())?;
            for result in &answer.results {
                check(result.error_code, result.error_message.as_ref())?;
            }
            Ok(())
        };
        self.call("update features", Route::Controller, request, check_all).await.map(|_| ())
    }

    /// Removes the registration of a broker that is gone for good.
    pub async fn unregister_broker(&self, id: i32) -> Result<(), AdminError> {
        let request = UnregisterBrokerRequest::default().with_broker_id(BrokerId(id));
        self.call("unregister broker", Route::Controller, request, |answer| {
            check(answer.error_code, answer.error_message.as_ref())
        })
        .await
        .map(|_| ())
    }
}
