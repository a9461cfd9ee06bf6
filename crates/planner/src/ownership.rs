//! Whose an object is that has a name which a resource needs, whatever the kind of that resource.
//!
//! Its own is what carries its labels, whoever made it (another operator of these resources, an earlier incarnation of the
//! resource, a user with an authority of his own), what the resource or one of its parts owns although the labels are gone,
//! and what the field manager of the operators applied. Another controller (`ownerReferences[].controller`)
//! outweighs all of these: two would write the object in turn.

use std::sync::Arc;

use api::kinds;
use api::{cert_manager, labels, names};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use objects::{ObjectId, Stored};
use serde_json::Value;

use crate::live_object::NamedOwner;

/// The kind of claims. They hold data, and may be made by hand for the node that is to find them.
pub const CLAIM: &str = "PersistentVolumeClaim";

/// The kind of bindings that are cluster-wide.
pub const CLUSTER_ROLE_BINDING: &str = "ClusterRoleBinding";

/// Kinds that are looked at. Pods are those of image builds: all others are the pod sets' business.
const KINDS: [&str; 18] = [
    "BuildConfig",
    cert_manager::CERTIFICATE,
    CLUSTER_ROLE_BINDING,
    "ConfigMap",
    "Deployment",
    "Ingress",
    "NetworkPolicy",
    CLAIM,
    "Pod",
    "PodDisruptionBudget",
    "Role",
    "RoleBinding",
    "Route",
    "Secret",
    "Service",
    "ServiceAccount",
    kinds::STRIMZI_POD_SET,
    "TLSRoute",
];

/// The resource that needs objects.
#[derive(Debug, Clone)]
pub struct Claimant<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Kind and name of further resources that own objects for it: the node pools of a Kafka.
    pub parts: Vec<(&'a str, &'a str)>,
}

impl Claimant<'_> {
    /// Whether an owner is the resource or one of its parts.
    fn is(&self, owner: &NamedOwner) -> bool {
        let names = |kind: &str, name: &str| owner.kind == kind && owner.name == name;
        owner.group == api::GROUP
            && (names(self.kind, self.name) || self.parts.iter().any(|(kind, name)| names(kind, name)))
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
    /// The namespace of its first subject, if it is a binding.
    serves: Option<String>,
    /// Kind and name of what uses it, if it is a claim.
    user: Option<String>,
    /// The whole object without its status, for comparison with the desired one, where it was read.
    pub body: Option<Arc<Stored>>,
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
            serves: None,
            user: None,
            body: None,
        }
    }

    /// A claim with kind and name of what uses it, though it does not say so itself.
    #[must_use]
    pub fn used_by(self, user: Option<String>) -> Self {
        Self { user, ..self }
    }

    /// With the whole object, of which our entry of the managed fields is left.
    pub fn with_body(self, object: &Value) -> Self {
        let serves = object.pointer("/subjects/0/namespace").and_then(Value::as_str).map(str::to_owned);
        Self { serves, body: Stored::of(object).ok().map(Arc::new), ..self }
    }

    /// Of an object that carries the labels of a resource, with the owner that controls it.
    pub fn labelled(claimant: &Claimant<'_>, controller: Option<NamedOwner>) -> Self {
        Self {
            cluster: Some(claimant.name.to_owned()),
            kind: Some(claimant.kind.to_owned()),
            controller,
            ..Self::default()
        }
    }

    /// Whose it is, of the objects with names that a resource needs; `None`: that resource's.
    pub fn other(&self, claimant: &Claimant<'_>, object: &ObjectId) -> Option<Whose> {
        let has_name = self.cluster.as_deref() == Some(claimant.name);
        let is_labelled = has_name && self.kind.as_deref() == Some(claimant.kind);
        let label = self.cluster.as_ref().map(|name| (name, self.kind.as_deref().unwrap_or("cluster")));
        let of_another = label.filter(|_| !has_name || self.kind.is_some());
        if object.kind == CLAIM {
            return self.other_of_claim(claimant, of_another.filter(|_| !is_labelled), is_labelled);
        }
        // Nothing in the namespace of the resource can own it, and resources of two namespaces may need its name: the subject
        // tells.
        let is_elsewhere = object.namespace.as_deref() != Some(claimant.namespace);
        match (self.serves.as_deref().filter(|_| is_elsewhere), label) {
            (Some(namespace), Some((name, kind))) if namespace != claimant.namespace => {
                return Some(Whose::Of(format!("{kind} {name} of namespace {namespace}")));
            }
            // An administrator made it for an operator that may not.
            (Some(namespace), None) if namespace == claimant.namespace && object.namespace.is_none() => {
                return None;
            }
            _ => {}
        }
        // An installation of cert-manager may own the Secrets that it fills.
        let fills = |owner: &NamedOwner| {
            owner.group == cert_manager::GROUP && object.name == names::issued_secret(&owner.name)
        };
        let other = |owner: &&NamedOwner| !(claimant.is(owner) || object.kind == "Secret" && fills(owner));
        if let Some(controller) = self.controller.as_ref().filter(other) {
            return Some(Whose::Of(controller.words()));
        }
        if is_labelled || self.owners.iter().any(|owner| claimant.is(owner)) {
            return None;
        }
        if let Some(owner) = self.owners.first() {
            return Some(Whose::Of(owner.words()));
        }
        match (of_another, self.kind.is_none()) {
            (Some((name, kind)), _) => Some(Whose::Of(format!("{kind} {name}"))),
            (None, true) if self.cluster.is_none() && self.applied => None,
            _ => Some(Whose::Unlabelled(self.maker.clone())),
        }
    }
}

impl Holder {
    /// Claims hold data, and may be made by hand for the node that is to find them: a claim that nothing else owns or uses is taken by its name.
    fn other_of_claim(
        &self,
        claimant: &Claimant<'_>,
        of_another: Option<(&String, &str)>,
        is_labelled: bool,
    ) -> Option<Whose> {
        if let Some((name, kind)) = of_another {
            return Some(Whose::Of(format!("{kind} {name}")));
        }
        if is_labelled || self.owners.iter().any(|owner| claimant.is(owner)) {
            return None;
        }
        if let Some(owner) = self.owners.first() {
            return Some(Whose::Of(owner.words()));
        }
        self.user.clone().map(Whose::User)
    }
}

/// What is known of the object that has a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Holding {
    /// It is there.
    Held(Box<Holder>),
    /// There is none.
    Free,
    /// That is not known.
    Unknown,
}

/// An object that a resource needs and that belongs to another owner.
#[derive(Debug)]
pub struct Stranger {
    /// Which.
    pub object: ObjectId,
    /// Whose it is.
    pub whose: Whose,
}

/// Of the objects that a resource wants: those that belong to another owner, and those of which the owner is not known.
pub fn look<'a>(
    claimant: &Claimant<'_>,
    wanted: impl IntoIterator<Item = &'a ObjectId>,
    holding: impl Fn(&ObjectId) -> Holding,
) -> (Vec<Stranger>, Vec<ObjectId>) {
    let (mut strangers, mut unknown) = (Vec::new(), Vec::new());
    for object in wanted.into_iter().filter(|object| KINDS.contains(&object.kind.as_str())) {
        match holding(object) {
            Holding::Held(holder) => {
                let whose = holder.other(claimant, object);
                strangers.extend(whose.map(|whose| Stranger { object: object.clone(), whose }));
            }
            Holding::Free => {}
            Holding::Unknown => unknown.push(object.clone()),
        }
    }
    (strangers, unknown)
}

/// Whose an object is that is not that of the resource which needs it.
#[derive(Debug)]
pub enum Whose {
    /// Of this object, in words.
    Of(String),
    /// It does not say whose it is, and this object uses it, in words.
    User(String),
    /// Nothing tells but, perhaps, who made it.
    Unlabelled(Option<String>),
    /// That could not be found out, and why.
    Unknown(String),
}

impl Stranger {
    /// What it is, and what can be done.
    pub fn words(&self, claimant: &Claimant<'_>) -> String {
        let Self { object, whose } = self;
        let (kind, name) = (&object.kind, &object.name);
        let elsewhere = object.namespace.as_ref().filter(|namespace| *namespace != claimant.namespace);
        let of_namespace =
            elsewhere.map(|namespace| format!(" of namespace {namespace}")).unwrap_or_default();
        match whose {
            Whose::Of(owner) => format!(
                "{kind} {name}{of_namespace} belongs to {owner} and is left as it is, though the cluster needs an object of \
             this name: give {owner} another name, or the {} resource",
                claimant.kind
            ),
            Whose::User(user) => format!(
                "{kind} {name}{of_namespace} is used by {user} and is left as it is, though the cluster needs one of this name: \
                 end that use, add the labels strimzi.io/kind: {0} and strimzi.io/cluster: {1} if it belongs to the cluster all \
                 the same, or give the {0} resource another name",
                claimant.kind, claimant.name
            ),
            Whose::Unlabelled(maker) => {
                let made = maker.as_ref().map(|maker| format!(" (made by {maker})")).unwrap_or_default();
                format!(
                    "{kind} {name}{of_namespace}{made} exists without the labels strimzi.io/kind: {0} and strimzi.io/cluster: \
                 {1} and is left as it is: add them if it belongs to the cluster, which then sets it right, else delete it \
                 or give the {0} resource another name",
                    claimant.kind, claimant.name
                )
            }
            Whose::Unknown(why) => {
                format!("whether {kind} {name}{of_namespace} belongs to somebody else is not known: {why}")
            }
        }
    }
}
