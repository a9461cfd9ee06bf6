//! What was seen of the workers of one resource before planning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::StrimziPodSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use objects::{DesiredObject, Live, ObjectId, json};
use pki::Material;

use super::need::{Answer, Need, Silence, SilenceKind};
use crate::clients::credentials::Secrets;
use crate::live_object::{self, LiveObjects, pod_set};
use crate::ownership::{Claimant, Holder, Holding};
use crate::pod_set::pod_error::PodError;
use crate::references::ConfigMaps;
use crate::settings::PlanSettings;

/// What was seen of the workers of one resource, and what was answered since.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Namespace of the resource.
    pub namespace: String,
    /// Pod sets of the resource, by name.
    pub pod_sets: BTreeMap<String, Arc<StrimziPodSet>>,
    /// Pods of the resource, by name.
    pub pods: BTreeMap<String, Arc<Pod>>,
    /// Secrets of the resource by name.
    pub secrets: BTreeMap<String, Arc<Secret>>,
    /// ConfigMaps of the resource by name.
    pub config_maps: BTreeMap<String, Arc<ConfigMap>>,
    /// Secrets that the resource refers to, by name.
    pub referred_secrets: BTreeMap<String, Arc<Secret>>,
    /// Secrets that it refers to and that were not read, each with why.
    pub unread_secrets: BTreeMap<String, String>,
    /// ConfigMaps that the resource refers to, by name.
    pub referred_config_maps: BTreeMap<String, Arc<ConfigMap>>,
    /// ConfigMaps that it refers to and that were not read, each with why.
    pub unread_config_maps: BTreeMap<String, String>,
    /// Every other live object of the resource.
    pub others: LiveObjects,
    /// What objects say that have names which the workers need, for those that a plan asked for; `None`: there is none.
    pub holders: BTreeMap<ObjectId, Option<Holder>>,
    /// What was made for the requests of this pass, by identifier.
    pub made: BTreeMap<String, Material>,
    /// UIDs of pods that this process deleted: the watch may not have said so yet.
    pub restarted: BTreeSet<String>,
    /// Why pods could not be created or deleted, or not be given what belongs to them, by name.
    pub pod_errors: BTreeMap<String, PodError>,
    /// What of the resource's objects is there and cannot be read, in words: then nothing is decided.
    pub unreadable: Option<String>,
    /// What has no answer in this pass, and why.
    pub unanswered: Vec<(Need, Silence)>,
    /// Settings of the operator.
    pub settings: Arc<PlanSettings>,
}

impl Observed {
    /// The Secrets that the resource refers to.
    pub fn secrets_referred_to(&self) -> Secrets<'_> {
        let largest = self.settings.largest_config_map;
        Secrets { read: &self.referred_secrets, not_read: &self.unread_secrets, largest }
    }

    /// The ConfigMaps that the resource refers to.
    pub fn config_maps_referred_to(&self) -> ConfigMaps<'_> {
        ConfigMaps { read: &self.referred_config_maps, not_read: &self.unread_config_maps }
    }

    /// Why a need has no answer.
    pub fn silence(&self, need: &Need) -> Option<&Silence> {
        self.unanswered.iter().find(|(asked, _)| asked == need).map(|(_, silence)| silence)
    }

    /// Takes an answer in.
    pub fn answer(&mut self, need: Need, answer: Answer) {
        match (need, answer) {
            (Need::Material(request), Answer::Material(material)) => {
                self.made.insert(request.id().to_owned(), material);
            }
            (Need::Holders(_), Answer::Holders(holders)) => self.holders.extend(holders),
            (need, Answer::Unknown(silence)) => self.unanswered.push((need, silence)),
            (need, _) => {
                let silence = Silence::new(SilenceKind::Refused, "the answer is to another question");
                self.unanswered.push((need, silence));
            }
        }
    }

    /// Every live object of the resource, but its pods.
    pub(super) fn all_live(&self) -> LiveObjects {
        let mut found = self.others.clone();
        live_object::add(&mut found, &self.namespace, self.config_maps.values());
        live_object::add(&mut found, &self.namespace, self.secrets.values());
        live_object::add(&mut found, &self.namespace, self.pod_sets.values());
        found
    }

    /// The live object that has the name of a desired one.
    pub(super) fn live(&self, desired: &DesiredObject) -> Live<'_> {
        let id = &desired.reference;
        let name = &id.name;
        let found = match id.kind.as_str() {
            "ConfigMap" => self.config_maps.get(name).map(|found| json(&**found)),
            "Secret" => self.secrets.get(name).map(|found| json(&**found)),
            "StrimziPodSet" => match self.pod_sets.get(name) {
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
    pub(super) fn holding(&self, claimant: &Claimant<'_>, object: &ObjectId) -> Holding {
        let name = &object.name;
        let metadata = match object.kind.as_str() {
            "Secret" => self.secrets.get(name).map(|found| &found.metadata),
            "ConfigMap" => self.config_maps.get(name).map(|found| &found.metadata),
            "StrimziPodSet" => self.pod_sets.get(name).map(|found| &found.metadata),
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
}
