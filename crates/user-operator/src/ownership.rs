//! Whose a Secret is, and which names the Secrets of users may have. Pure.

use std::collections::BTreeMap;

use api::conditions::reasons;
use api::kafka_user::KafkaUserAuthenticationType;
use api::kinds;
use api::{KafkaUser, cert_manager, labels, names};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use operator_runtime::refusal::Refusal;

use crate::secret_view::SecretView;
use crate::user::authentication;

/// Name of the Secret, for users that have one.
pub(crate) fn secret_name(user: &KafkaUser, prefix: &str) -> Option<String> {
    matches!(
        authentication(user),
        Some(KafkaUserAuthenticationType::Tls | KafkaUserAuthenticationType::ScramSha512)
    )
    .then(|| format!("{prefix}{}", user.name_any()))
}

/// Whether a user operator made a Secret for the user of this name.
pub(crate) fn was_made_for(view: &SecretView, name: &str) -> bool {
    view.is_of_users() && view.owner.as_ref().is_some_and(|(owner, _)| owner == name)
}

/// Whether the labels or owners of an object say that it was made for a KafkaUser, or for this one.
fn is_for_users(metadata: &ObjectMeta, user: &KafkaUser) -> bool {
    let kind = metadata.labels.as_ref().and_then(|labels| labels.get(labels::KIND));
    let owners = metadata.owner_references.iter().flatten();
    let owned = owners.into_iter().any(|owner| Some(&owner.uid) == user.metadata.uid.as_ref());
    owned || kind.is_some_and(|kind| kind == kinds::KAFKA_USER)
}

/// The Certificate of a user, and the Secret that cert-manager fills, have to be the user's own: the key of one user must not get to
/// another. The owner is the UID of the KafkaUser that owns the object; an object that cert-manager made for the Certificate of this
/// `name` has none.
pub(crate) fn refuse_another_owner(
    (kind, object): (&str, &str),
    name: &str,
    (owner, annotations): (Option<&str>, &BTreeMap<String, String>),
    user: &KafkaUser,
) -> Option<Refusal> {
    let is_own = owner.is_some() && owner == user.metadata.uid.as_deref();
    let is_filled =
        owner.is_none() && annotations.get(cert_manager::CERTIFICATE_NAME).is_some_and(|of| of == name);
    (!is_own && !is_filled).then(|| Refusal {
        reason: reasons::RESOURCE_CONFLICT,
        message: format!(
            "the {kind} {object} exists and was not made for this KafkaUser: delete it, rename the user, or set STRIMZI_SECRET_PREFIX"
        ),
        retry: true,
    })
}

/// UID of the KafkaUser that owns an object.
pub(crate) fn owner_of(metadata: &ObjectMeta) -> Option<&str> {
    let mut owners = metadata.owner_references.iter().flatten();
    owners.find(|owner| owner.kind == kinds::KAFKA_USER).map(|owner| owner.uid.as_str())
}

/// A Secret in which cert-manager keeps the key of another user must not become that of a user.
pub(crate) fn refuse_cert_managers(secret: &str) -> Refusal {
    Refusal {
        reason: reasons::RESOURCE_CONFLICT,
        message: format!(
            "the Secret {secret} is kept by cert-manager: delete it if nothing needs it, rename the user, or set STRIMZI_SECRET_PREFIX"
        ),
        retry: true,
    }
}

/// A user must not take over a Secret that was made for something else, such as the key of an authority. `metadata` is that
/// of the Secret that exists under the name of the user's. A Secret that lost its labels still names its owner.
pub(crate) fn refuse_takeover(secret: &str, metadata: &ObjectMeta, user: &KafkaUser) -> Option<Refusal> {
    let annotations = metadata.annotations.as_ref();
    if annotations.is_some_and(|all| all.contains_key(cert_manager::CERTIFICATE_NAME)) {
        return Some(refuse_cert_managers(secret));
    }
    (!is_for_users(metadata, user)).then(|| Refusal {
        reason: reasons::RESOURCE_CONFLICT,
        message: format!(
            "the Secret {secret} exists and was not made for a KafkaUser: delete it, rename the user, or set STRIMZI_SECRET_PREFIX"
        ),
        retry: true,
    })
}

/// Whether a Kafka cluster has, or may need, a Secret of this name beside those of its nodes.
pub(crate) fn is_of_the_cluster(cluster: &str, secret: &str) -> bool {
    let secret = without_suffix(secret);
    names::secrets_of_kafka(cluster).iter().any(|name| name == secret)
}

/// The Secret for which cert-manager keeps a certificate in this one, if it does.
fn without_suffix(secret: &str) -> &str {
    secret.strip_suffix(names::ISSUED_SUFFIX).unwrap_or(secret)
}

/// Why a user cannot have a Secret of this name.
pub(crate) fn of_the_cluster(secret: &str, cluster: &str) -> Refusal {
    Refusal {
        reason: reasons::RESOURCE_CONFLICT,
        message: format!(
            "Kafka {cluster} has or needs a Secret {secret} of its own: rename the user, or set STRIMZI_SECRET_PREFIX"
        ),
        retry: false,
    }
}

/// The pod set of the node whose Secret would have this name: `<cluster>-<pool>` of `<cluster>-<pool>-<number>`.
pub(crate) fn pod_set_of_node<'a>(cluster: &str, secret: &'a str) -> Option<&'a str> {
    let (pod_set, number) = without_suffix(secret).rsplit_once('-')?;
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    let pool = pod_set.strip_prefix(cluster)?.strip_prefix('-')?;
    (is_number && !pool.is_empty()).then_some(pod_set)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_that_was_made_for_something_else_is_not_taken_over() {
        let bob: KafkaUser = serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
            "metadata": {"name": "bob", "uid": "of-bob"}, "spec": {"authentication": {"type": "tls"}},
        }))
        .unwrap();
        let secret = |metadata| serde_json::from_value::<ObjectMeta>(metadata).unwrap();
        let owner = |uid: &str| json!([{"apiVersion": "v", "kind": "KafkaUser", "name": "bob", "uid": uid}]);
        for ours in
            [json!({"labels": {"strimzi.io/kind": "KafkaUser"}}), json!({"ownerReferences": owner("of-bob")})]
        {
            assert_eq!(refuse_takeover("bob", &secret(ours), &bob), None);
        }
        let of_kafka = json!({"labels": {"strimzi.io/kind": "Kafka"}});
        for strange in [json!({}), of_kafka, json!({"ownerReferences": owner("another")})] {
            let problem = refuse_takeover("bob", &secret(strange), &bob).unwrap();
            assert!(problem.message.contains("Secret bob") && problem.retry, "{problem:?}");
        }
    }

    #[test]
    fn names_that_a_cluster_needs_are_known() {
        for name in ["my-clients-ca", "my-trustbundle", "my-kafka-exporter-certs"] {
            assert!(is_of_the_cluster("my", name), "{name}");
            assert!(!is_of_the_cluster("other", name) && !is_of_the_cluster("my", &format!("user-{name}")));
        }
        assert!(is_of_the_cluster("my", "my-cluster-operator-certs-cm"));
        assert_eq!(pod_set_of_node("my", "my-pool-5-cm"), Some("my-pool"));
        assert_eq!(pod_set_of_node("my", "my-pool-5"), Some("my-pool"));
        assert_eq!(pod_set_of_node("my", "my-a-b-12"), Some("my-a-b"));
        for other in ["my-5", "my--5", "my-pool", "my-pool-", "my-pool-5x", "mypool-5", "your-pool-5"] {
            assert_eq!(pod_set_of_node("my", other), None, "{other}");
        }
    }
}
