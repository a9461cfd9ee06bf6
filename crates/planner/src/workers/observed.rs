//! What was seen of the workers of one resource before planning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::StrimziPodSet;
use api::agent::PlugIn;
use api::common::connector::ConnectorPlugin;
use api::openshift::builds::Build;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use objects::{DesiredObject, Live, ObjectId};
use pki::Material;

use super::need::{Silence, SilenceKind, WorkerAnswer, WorkerNeed};
use super::sharing::Sharing;
use crate::clients::credentials::Secrets;
use crate::fingerprint;
use crate::live_object::{self, LiveObjects};
use crate::live_of_owner::LiveOfOwner;
use crate::ownership::{Claimant, Holder, Stranger};
use crate::pod_set::pod_error::PodError;
use crate::references::ConfigMaps;
use crate::referred::Referred;
use crate::settings::PlanSettings;
use crate::workload::volume::mounts_secret;

/// What was seen of the workers of one resource, and what was answered since.
#[derive(Debug, Clone, Default)]
pub struct ObservedWorkers {
    /// Namespace of the resource.
    pub namespace: String,
    /// Pod sets of the resource, by name.
    pub pod_sets: BTreeMap<String, Arc<StrimziPodSet>>,
    /// Pods of the resource, by name.
    pub pods: BTreeMap<String, Arc<Pod>>,
    /// Deployments of the resource, by name.
    pub deployments: BTreeMap<String, Arc<Deployment>>,
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
    /// Builds of OpenShift of the resource, by name; `None`: they are not known.
    pub builds: Option<BTreeMap<String, Arc<Build>>>,
    /// The number of the last Build of each of its BuildConfigs, by name.
    pub build_configs: BTreeMap<String, i64>,
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
    /// Which classes of connectors the workers offer.
    pub plugins: Plugins,
    /// What the agents of workers did not find, as far as that is known.
    pub missing_plug_ins: Missing,
    /// Other resources whose workers have a name that these have for themselves.
    pub sharing: Vec<Sharing>,
    /// What of the resource's objects is there and cannot be read, in words: then nothing is decided.
    pub unreadable: Option<String>,
    /// What has no answer in this pass, and why.
    pub unanswered: Vec<(WorkerNeed, Silence)>,
    /// Settings of the operator.
    pub settings: Arc<PlanSettings>,
}

/// What agents of workers did not find, by pod.
pub type Missing = BTreeMap<String, BTreeSet<PlugIn>>;

/// Which classes of connectors workers offer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Plugins {
    /// These workers were not asked.
    #[default]
    Unasked,
    /// They are asked, and have not answered.
    Asked,
    /// These.
    Known(Vec<ConnectorPlugin>),
}

impl ObservedWorkers {
    /// What tells these pods from all others.
    pub fn fingerprint_of_pods(&self) -> String {
        let uids: Vec<&str> = self.pods.values().filter_map(|pod| pod.metadata.uid.as_deref()).collect();
        fingerprint::short(uids.join(" ").as_bytes())
    }

    /// The Secrets and ConfigMaps that the resource refers to.
    pub(crate) fn referred(&self) -> Referred<'_> {
        let largest = self.settings.largest_config_map;
        let (read, not_read) = (&self.referred_secrets, &self.unread_secrets);
        let secrets = Secrets { read, not_read, largest };
        let (read, not_read) = (&self.referred_config_maps, &self.unread_config_maps);
        Referred::Read { secrets, config_maps: ConfigMaps { read, not_read } }
    }

    /// Why a need has no answer.
    pub fn silence(&self, need: &WorkerNeed) -> Option<&Silence> {
        self.unanswered.iter().find(|(asked, _)| asked == need).map(|(_, silence)| silence)
    }

    /// Takes an answer in.
    pub fn answer(&mut self, need: WorkerNeed, answer: WorkerAnswer) {
        match (need, answer) {
            (WorkerNeed::Material(request), WorkerAnswer::Material(material)) => {
                self.made.insert(request.id().to_owned(), material);
            }
            (WorkerNeed::Holders(_), WorkerAnswer::Holders(holders)) => self.holders.extend(holders),
            (need, WorkerAnswer::Unknown(silence)) => self.unanswered.push((need, silence)),
            (need, _) => {
                let silence = Silence::new(SilenceKind::Refused, "the answer is to another question");
                self.unanswered.push((need, silence));
            }
        }
    }

    /// Every live object of the resource, but its pods.
    pub(crate) fn all_live(&self) -> LiveObjects {
        let mut found = self.others.clone();
        live_object::add(&mut found, &self.namespace, self.config_maps.values());
        live_object::add(&mut found, &self.namespace, self.secrets.values());
        live_object::add(&mut found, &self.namespace, self.pod_sets.values());
        live_object::add(&mut found, &self.namespace, self.deployments.values());
        found
    }

    /// The live object that has the name of a desired one.
    pub(crate) fn live(&self, desired: &DesiredObject) -> Live<'_> {
        self.of_owner().live(desired)
    }

    fn of_owner(&self) -> LiveOfOwner<'_> {
        LiveOfOwner {
            namespace: Some(&self.namespace),
            secrets: &self.secrets,
            config_maps: &self.config_maps,
            deployments: &self.deployments,
            pod_sets: &self.pod_sets,
            claims: None,
            others: &self.others,
            holders: &self.holders,
        }
    }

    /// Of the objects that are wanted: those that belong to another owner, or of which the owner cannot be found out.
    ///
    /// # Errors
    /// What has to be asked first.
    pub(crate) fn strangers<'a>(
        &self,
        claimant: &Claimant<'_>,
        wanted: impl IntoIterator<Item = &'a ObjectId>,
    ) -> Result<Vec<Stranger>, WorkerNeed> {
        let silence = |unknown: &[ObjectId]| {
            self.silence(&WorkerNeed::Holders(unknown.to_vec())).map(ToString::to_string)
        };
        self.of_owner().strangers(claimant, wanted, silence).map_err(WorkerNeed::Holders)
    }

    /// A Secret that pods mount goes after them.
    pub(crate) fn stays(&self, object: &ObjectId) -> Option<bool> {
        let is_mounted = || self.pods.values().any(|live| mounts_secret(live, &object.name));
        (object.kind == "Secret" && is_mounted()).then_some(true)
    }
}
