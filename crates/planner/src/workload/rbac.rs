//! ServiceAccounts, and the parts of roles and bindings.

use api::common::template::ResourceTemplate;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject};
use objects::{DesiredObject, Object, Owner, Pairs};

const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// A ServiceAccount.
pub(crate) fn service_account(
    owner: &Owner,
    name: String,
    labels: Pairs,
    template: Option<&ResourceTemplate>,
) -> DesiredObject {
    Object::new(owner, name, labels, ServiceAccount::default())
        .template(template.and_then(|template| template.metadata.as_ref()))
        .build()
}

/// The role that a binding is about.
pub(crate) fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: RBAC_GROUP.to_owned(), kind: kind.to_owned(), name: name.to_owned() }
}

/// A service account of a namespace.
pub(crate) fn subject(namespace: &str, account: String) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: account,
        namespace: Some(namespace.to_owned()),
        ..Subject::default()
    }
}

/// The right to do this with all resources of a kind.
pub(crate) fn rule(group: &str, resource: &str, verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    }
}

/// The right for the resources with these names alone.
pub(crate) fn only(names: &[String], rule: PolicyRule) -> PolicyRule {
    PolicyRule { resource_names: Some(names.to_vec()), ..rule }
}
