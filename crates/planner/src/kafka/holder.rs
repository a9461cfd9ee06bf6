//! Whose a live object is, as its metadata tells.
//!
//! Ours is what carries the labels of the cluster, whoever made it (another operator of these resources, an earlier
//! incarnation of the Kafka resource, a user with an authority of his own), what the Kafka resource or one of its pools owns
//! although the labels are gone, and what the field manager of the operators applied. A controller that is not ours
//! (`ownerReferences[].controller`) outweighs all of these: two would write the object in turn.

use api::labels;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::cluster::Cluster;

/// An owner of an object, as the object names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedOwner {
    /// API group without its version.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl NamedOwner {
    /// The owner that controls an object, if there is one.
    pub fn controller(metadata: &ObjectMeta) -> Option<Self> {
        let owners = metadata.owner_references.iter().flatten();
        owners.filter(|owner| owner.controller == Some(true)).map(Self::of).next()
    }

    fn of(owner: &k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference) -> Self {
        let group = owner.api_version.split_once('/').map(|(group, _)| group).unwrap_or_default();
        Self { group: group.to_owned(), kind: owner.kind.clone(), name: owner.name.clone() }
    }

    /// Whether it is the Kafka resource of the cluster or one of its pools.
    fn is_ours(&self, cluster: &Cluster) -> bool {
        let is_pool = || cluster.pools.iter().any(|pool| pool.name == self.name);
        self.group == api::GROUP
            && match self.kind.as_str() {
                "Kafka" => self.name == cluster.name,
                "KafkaNodePool" => is_pool(),
                _ => false,
            }
    }

    fn words(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// What a live object says about whose it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// Label `strimzi.io/cluster`.
    cluster: Option<String>,
    /// Label `strimzi.io/kind`.
    kind: Option<String>,
    /// The owner that controls it.
    controller: Option<NamedOwner>,
    /// All owners.
    owners: Vec<NamedOwner>,
    /// Whether the field manager of the operators applied it.
    applied: bool,
    /// Who made it, for people: the label `app.kubernetes.io/managed-by`, else the first field manager.
    maker: Option<String>,
}

impl Holder {
    /// Out of the metadata of an object.
    pub fn of(metadata: &ObjectMeta) -> Self {
        let label = |key: &str| metadata.labels.as_ref().and_then(|all| all.get(key)).cloned();
        let managers = || metadata.managed_fields.iter().flatten();
        Self {
            cluster: label(labels::CLUSTER),
            kind: label(labels::KIND),
            controller: NamedOwner::controller(metadata),
            owners: metadata.owner_references.iter().flatten().map(NamedOwner::of).collect(),
            applied: managers().any(|entry| {
                entry.manager.as_deref() == Some(api::FIELD_MANAGER)
                    && entry.operation.as_deref() == Some("Apply")
            }),
            maker: label(labels::KUBERNETES_MANAGED_BY)
                .or_else(|| managers().find_map(|entry| entry.manager.clone())),
        }
    }

    /// Of an object that carries the labels of the cluster, with the owner that controls it.
    pub fn labelled(cluster: &Cluster, controller: Option<NamedOwner>) -> Self {
        Self {
            cluster: Some(cluster.name.clone()),
            kind: Some("Kafka".to_owned()),
            controller,
            ..Self::default()
        }
    }

    /// Whose it is; `None`: the cluster's.
    pub fn other(&self, cluster: &Cluster) -> Option<Whose> {
        if let Some(controller) = self.controller.as_ref().filter(|one| !one.is_ours(cluster)) {
            return Some(Whose::Of(controller.words()));
        }
        let is_labelled =
            self.cluster.as_ref() == Some(&cluster.name) && self.kind.as_deref() == Some("Kafka");
        if is_labelled || self.owners.iter().any(|owner| owner.is_ours(cluster)) {
            return None;
        }
        if let Some(owner) = self.owners.first() {
            return Some(Whose::Of(owner.words()));
        }
        match (&self.cluster, &self.kind) {
            (Some(name), kind) if *name != cluster.name || kind.is_some() => {
                Some(Whose::Of(format!("{} {name}", kind.as_deref().unwrap_or("cluster"))))
            }
            (None, None) if self.applied => None,
            _ => Some(Whose::Unlabelled(self.maker.clone())),
        }
    }
}

/// Whose an object is that is not the cluster's.
#[derive(Debug)]
pub enum Whose {
    /// Of this object, in words.
    Of(String),
    /// Nothing tells but, perhaps, who made it.
    Unlabelled(Option<String>),
    /// That could not be found out, and why.
    Unknown(String),
}
