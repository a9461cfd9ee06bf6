//! Client quotas.

use std::collections::BTreeMap;

use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::{AlterClientQuotasRequest, DescribeClientQuotasRequest};
use kafka_protocol::protocol::StrBytes;

use crate::batch::Weight;
use crate::client::{Route, misrouted};
use crate::error::check;
use crate::values::{string, text};
use crate::{Admin, AdminError, Outcomes};

/// Kafka's number for "the default of this kind of entity".
const MATCH_DEFAULT: i8 = 1;

/// Whom a quota is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct QuotaEntity {
    /// A user, without the `User:` of a principal.
    pub user: Option<QuotaName>,
    /// A client id.
    pub client_id: Option<QuotaName>,
    /// An IP address.
    pub ip: Option<QuotaName>,
}

/// A name, or all that have no quota of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuotaName {
    /// All that have no quota of their own.
    Default,
    /// This one.
    Named(String),
}

impl QuotaEntity {
    /// All users that have no quota of their own.
    pub fn default_user() -> Self {
        Self { user: Some(QuotaName::Default), ..Self::default() }
    }

    /// A user, whatever its client id; without the `User:` of a principal.
    pub fn user(name: impl Into<String>) -> Self {
        Self { user: Some(QuotaName::Named(name.into())), ..Self::default() }
    }

    fn parts(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        let parts = [("user", &self.user), ("client-id", &self.client_id), ("ip", &self.ip)];
        parts.into_iter().filter_map(|(kind, name)| match name {
            None => None,
            Some(QuotaName::Default) => Some((kind, None)),
            Some(QuotaName::Named(name)) => Some((kind, Some(name.as_str()))),
        })
    }

    fn from_parts<'a>(parts: impl IntoIterator<Item = (&'a StrBytes, &'a Option<StrBytes>)>) -> Self {
        let mut entity = Self::default();
        for (kind, name) in parts {
            let name = Some(name.as_ref().map_or(QuotaName::Default, |name| QuotaName::Named(string(name))));
            match kind.as_str() {
                "user" => entity.user = name,
                "client-id" => entity.client_id = name,
                "ip" => entity.ip = name,
                _ => {}
            }
        }
        entity
    }
}

impl Admin {
    /// All quotas: `producer_byte_rate`, `consumer_byte_rate` (bytes/s), `request_percentage` (%),
    /// `controller_mutation_rate` (changed partitions/s), `connection_creation_rate` (1/s).
    pub async fn describe_client_quotas(
        &self,
    ) -> Result<BTreeMap<QuotaEntity, BTreeMap<String, f64>>, AdminError> {
        let request = DescribeClientQuotasRequest::default();
        let answer = self
            .call("describe client quotas", Route::Any, request, |answer| {
                check(answer.error_code, answer.error_message.as_ref())
            })
            .await?;
        let mut found = BTreeMap::new();
        for entry in answer.entries.iter().flatten() {
            let parts = entry.entity.iter().map(|part| (&part.entity_type, &part.entity_name));
            let values = entry.values.iter().map(|value| (string(&value.key), value.value)).collect();
            found.insert(QuotaEntity::from_parts(parts), values);
        }
        Ok(found)
    }

    /// The quotas of all users that have none of their own, whatever other quotas there are; named as in
    /// [`Self::describe_client_quotas`].
    pub async fn describe_default_user_quotas(&self) -> Result<BTreeMap<String, f64>, AdminError> {
        let users = ComponentData::default()
            .with_entity_type(text("user"))
            .with_match_type(MATCH_DEFAULT)
            .with_match(None);
        let request = DescribeClientQuotasRequest::default().with_components(vec![users]).with_strict(true);
        let answer = self
            .call("describe the default quotas of users", Route::Any, request, |answer| {
                check(answer.error_code, answer.error_message.as_ref())
            })
            .await?;
        let values = answer.entries.iter().flatten().flat_map(|entry| &entry.values);
        Ok(values.map(|value| (string(&value.key), value.value)).collect())
    }

    /// Sets (`Some`) and removes (`None`) quotas.
    pub async fn alter_client_quotas(
        &self,
        changes: BTreeMap<QuotaEntity, BTreeMap<String, Option<f64>>>,
        validate_only: bool,
    ) -> Result<Outcomes<QuotaEntity>, AdminError> {
        type Change = (QuotaEntity, BTreeMap<String, Option<f64>>);
        let weigh = |(entity, values): &Change| Weight {
            bytes: entity
                .parts()
                .map(|(kind, name)| kind.len() + name.map_or(0, str::len) + 6)
                .sum::<usize>()
                + values.keys().map(|key| key.len() + 15).sum::<usize>(),
            records: values.len(),
        };
        let alter = |changes: Vec<Change>| {
            let request = AlterClientQuotasRequest::default()
                .with_entries(changes.iter().map(|(entity, values)| entry(entity, values)).collect())
                .with_validate_only(validate_only);
            self.call("alter client quotas", Route::Controller, request, |answer| {
                misrouted(answer.entries.iter().map(|entry| entry.error_code))
            })
        };
        let answers = self.batched(changes, weigh, alter).await?;
        let mut outcomes = Outcomes::new();
        for entry in answers.iter().flat_map(|answer| &answer.entries) {
            let parts = entry.entity.iter().map(|part| (&part.entity_type, &part.entity_name));
            outcomes.insert(
                QuotaEntity::from_parts(parts),
                check(entry.error_code, entry.error_message.as_ref()),
            );
        }
        Ok(outcomes)
    }
}

fn entry(entity: &QuotaEntity, values: &BTreeMap<String, Option<f64>>) -> EntryData {
    let parts = entity.parts().map(|(kind, name)| {
        EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
    });
    let operations = values.iter().map(|(key, value)| {
        OpData::default()
            .with_key(text(key.as_str()))
            .with_value(value.unwrap_or_default())
            .with_remove(value.is_none())
    });
    EntryData::default().with_entity(parts.collect()).with_ops(operations.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_survive_the_wire() {
        let entity = QuotaEntity {
            user: Some(QuotaName::Named("CN=me".into())),
            client_id: Some(QuotaName::Default),
            ip: None,
        };
        let wire = entry(&entity, &BTreeMap::from([("a".to_owned(), None), ("b".to_owned(), Some(2.0))]));
        let parts = wire.entity.iter().map(|part| (&part.entity_type, &part.entity_name));
        assert_eq!(QuotaEntity::from_parts(parts), entity);
        assert!(wire.ops[0].remove && !wire.ops[1].remove);
    }
}
