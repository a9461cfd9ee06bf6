//! The live objects of one resource, whatever its kind: which of them has the name of a wanted one, and whose it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{StrimziPodSet, kinds};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret};
use objects::{DesiredObject, Live, ObjectId, json};

use crate::live_object::{LiveObjects, pod_set};
use crate::ownership::{self, CLAIM, Claimant, Holder, Holding, Stranger, Whose};

/// The live objects of one resource, as they were seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LiveOfOwner<'a> {
    /// Namespace of those that are found by name.
    pub namespace: Option<&'a String>,
    /// Secrets by name.
    pub secrets: &'a BTreeMap<String, Arc<Secret>>,
    /// ConfigMaps by name.
    pub config_maps: &'a BTreeMap<String, Arc<ConfigMap>>,
    /// Deployments by name.
    pub deployments: &'a BTreeMap<String, Arc<Deployment>>,
    /// Pod sets by name.
    pub pod_sets: &'a BTreeMap<String, Arc<StrimziPodSet>>,
    /// Claims by name, of a kind that has any.
    pub claims: Option<&'a BTreeMap<String, Arc<PersistentVolumeClaim>>>,
    /// Objects of all other kinds.
    pub others: &'a LiveObjects,
    /// Who has an object with a needed name, as far as that was asked.
    pub holders: &'a BTreeMap<ObjectId, Option<Holder>>,
}

impl<'a> LiveOfOwner<'a> {
    /// The live object that has the name of a desired one, as far as that is known.
    pub(crate) fn live(&self, desired: &DesiredObject) -> Live<'a> {
        let id = &desired.reference;
        let name = &id.name;
        let found = match id.kind.as_str() {
            _ if id.namespace.as_ref() != self.namespace => None,
            "ConfigMap" => self.config_maps.get(name).map(|found| json(&**found)),
            "Deployment" => self.deployments.get(name).map(|found| json(&**found)),
            CLAIM => self.claims.and_then(|claims| claims.get(name)).map(|found| json(&**found)),
            "Secret" => self.secrets.get(name).map(|found| json(&**found)),
            kinds::STRIMZI_POD_SET => match self.pod_sets.get(name) {
                Some(found) => return pod_set(found),
                None => None,
            },
            _ => None,
        };
        let other = || self.others.get(id)?.body.as_ref().map(|body| body.value());
        let held = self.holders.get(id);
        let holder = || held?.as_ref()?.body.as_ref().map(|body| body.value());
        match found.or_else(other).or_else(holder) {
            Some(object) => Live::Object(object),
            None if held == Some(&None) => Live::Absent,
            None => Live::Unseen,
        }
    }

    /// What is known of the object that has a name.
    pub(crate) fn holding(&self, claimant: &Claimant<'_>, object: &ObjectId) -> Holding {
        let name = &object.name;
        let metadata = match object.kind.as_str() {
            _ if object.namespace.as_ref() != self.namespace => None,
            "Secret" => self.secrets.get(name).map(|found| &found.metadata),
            "ConfigMap" => self.config_maps.get(name).map(|found| &found.metadata),
            "Deployment" => self.deployments.get(name).map(|found| &found.metadata),
            CLAIM => self.claims.and_then(|claims| claims.get(name)).map(|found| &found.metadata),
            kinds::STRIMZI_POD_SET => self.pod_sets.get(name).map(|found| &found.metadata),
            _ => None,
        };
        if let Some(metadata) = metadata {
            return Holding::Held(Box::new(Holder::of(metadata)));
        }
        if let Some(facts) = self.others.get(object) {
            return Holding::Held(Box::new(Holder::labelled(claimant, facts.controller.clone())));
        }
        match self.holders.get(object) {
            Some(Some(holder)) => Holding::Held(Box::new(holder.clone())),
            Some(None) => Holding::Free,
            None => Holding::Unknown,
        }
    }

    /// Of the objects that are wanted: those that belong to another owner, or of which the owner cannot be found out. `asked` says why it is
    /// not known of some whose they are, if that was asked.
    ///
    /// # Errors
    /// The objects whose holders have to be asked for first.
    pub(crate) fn strangers<'o>(
        &self,
        claimant: &Claimant<'_>,
        wanted: impl IntoIterator<Item = &'o ObjectId>,
        asked: impl FnOnce(&[ObjectId]) -> Option<String>,
    ) -> Result<Vec<Stranger>, Vec<ObjectId>> {
        let (mut strangers, unknown) =
            ownership::look(claimant, wanted, |object| self.holding(claimant, object));
        if !unknown.is_empty() {
            let Some(silence) = asked(&unknown) else { return Err(unknown) };
            let whose = |object| Stranger { object, whose: Whose::Unknown(silence.clone()) };
            strangers.extend(unknown.into_iter().map(whose));
        }
        Ok(strangers)
    }
}
