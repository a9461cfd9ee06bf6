//! Label keys and values, the labels every generated object carries, and which labels of a custom resource
//! are handed on to its objects.

use std::collections::BTreeMap;

use regex::Regex;

use crate::limits::LABEL_VALUE;

/// Kind of the custom resource an object was made for, for example `Kafka`.
pub const KIND: &str = "strimzi.io/kind";
/// Name of the cluster: on custom resources it names the Kafka or Connect cluster they belong to.
pub const CLUSTER: &str = "strimzi.io/cluster";
/// Name of the component an object belongs to, for example `my-kafka`.
pub const NAME: &str = "strimzi.io/name";
/// Kind of component, see [`component`].
pub const COMPONENT_TYPE: &str = "strimzi.io/component-type";
/// Node pool of a pod, claim, Secret or ConfigMap.
pub const POOL_NAME: &str = "strimzi.io/pool-name";
/// Name of the pod; on pods and on the objects of one pod.
pub const POD_NAME: &str = "strimzi.io/pod-name";
/// `true` on pods that are brokers, `false` on other Kafka pods.
pub const BROKER_ROLE: &str = "strimzi.io/broker-role";
/// `true` on pods that are KRaft controllers, `false` on other Kafka pods.
pub const CONTROLLER_ROLE: &str = "strimzi.io/controller-role";
/// What runs a pod; always [`CONTROLLER_POD_SET`].
pub const CONTROLLER: &str = "strimzi.io/controller";
/// Name of the StrimziPodSet that runs a pod.
pub const CONTROLLER_NAME: &str = "strimzi.io/controller-name";
/// `true` on Services that applications may find by label.
pub const DISCOVERY: &str = "strimzi.io/discovery";
/// `true` on the custom resource definitions.
pub const CRD_INSTALL: &str = "strimzi.io/crd-install";
/// Every label and annotation of Strimzi's contract starts with this.
pub const STRIMZI_DOMAIN: &str = "strimzi.io/";
/// Every label and annotation that Strimzi does not have starts with this.
pub const KASTELLAN_DOMAIN: &str = "kastellan.io/";

/// Value of [`CONTROLLER`].
pub const CONTROLLER_POD_SET: &str = "strimzipodset";
/// Value of [`KIND`] on the pods of the cluster operator, by which NetworkPolicies let it in.
pub const KIND_CLUSTER_OPERATOR: &str = "cluster-operator";

/// Selector of what belongs to the clusters that the cluster operator looks after, and not to topics and users.
pub const SELECTOR_OF_CLUSTERS: &str = "strimzi.io/cluster,strimzi.io/kind in (Kafka,KafkaConnect,KafkaMirrorMaker2,KafkaMirrorMaker,KafkaBridge)";
/// Selector of what belongs to none of these clusters: it may be a user's own, or a KafkaUser's.
pub const SELECTOR_OF_NO_CLUSTER: &str =
    "strimzi.io/kind notin (Kafka,KafkaConnect,KafkaMirrorMaker2,KafkaMirrorMaker,KafkaBridge)";
/// Selector of what belongs to any resource that has pods: [`CLUSTER`] and [`KIND`].
pub const SELECTOR_OF_ANY_KIND: &str = "strimzi.io/cluster,strimzi.io/kind";
/// Selector of what belongs to no resource: [`KIND`] is not there.
pub const SELECTOR_OF_NO_KIND: &str = "!strimzi.io/kind";

/// Kubernetes' recommended label for the kind of application.
pub const KUBERNETES_NAME: &str = "app.kubernetes.io/name";
/// Kubernetes' recommended label for the instance of an application.
pub const KUBERNETES_INSTANCE: &str = "app.kubernetes.io/instance";
/// Kubernetes' recommended label for the larger whole.
pub const KUBERNETES_PART_OF: &str = "app.kubernetes.io/part-of";
/// Kubernetes' recommended label for the tool that manages an object.
pub const KUBERNETES_MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// On namespaces, set by Kubernetes itself: the name of the namespace.
pub const KUBERNETES_NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// Value of [`KUBERNETES_MANAGED_BY`] on objects of the cluster operator.
pub const MANAGED_BY_CLUSTER_OPERATOR: &str = "strimzi-cluster-operator";
/// Value of [`KUBERNETES_MANAGED_BY`] and of [`KUBERNETES_NAME`] on Secrets of the user operator.
pub const MANAGED_BY_USER_OPERATOR: &str = "strimzi-user-operator";

/// Values of [`COMPONENT_TYPE`].
pub mod component {
    /// Kafka nodes.
    pub const KAFKA: &str = "kafka";
    /// The Deployment with topic and user operator.
    pub const ENTITY_OPERATOR: &str = "entity-operator";
    /// ConfigMap, Secret and RoleBinding of the topic operator.
    pub const ENTITY_TOPIC_OPERATOR: &str = "entity-topic-operator";
    /// ConfigMap, Secret and RoleBinding of the user operator.
    pub const ENTITY_USER_OPERATOR: &str = "entity-user-operator";
    /// Cruise Control.
    pub const CRUISE_CONTROL: &str = "cruise-control";
    /// Kafka Exporter.
    pub const KAFKA_EXPORTER: &str = "kafka-exporter";
    /// The proxy of a listener with a single address.
    pub const KAFKA_PROXY: &str = "kafka-proxy";
    /// Kafka Connect.
    pub const KAFKA_CONNECT: &str = "kafka-connect";
    /// The build of an image for Kafka Connect.
    pub const KAFKA_CONNECT_BUILD: &str = "kafka-connect-build";
    /// MirrorMaker 2.
    pub const KAFKA_MIRROR_MAKER_2: &str = "kafka-mirror-maker-2";
    /// HTTP bridge.
    pub const KAFKA_BRIDGE: &str = "kafka-bridge";
    /// Secrets of the certificate authorities.
    pub const CERTIFICATE_AUTHORITY: &str = "certificate-authority";
    /// The trust bundle Secret.
    pub const TRUST_BUNDLE: &str = "trust-bundle";
    /// The Secret with the cluster operator's certificate.
    pub const CLUSTER_OPERATOR_CERTS: &str = "strimzi";
}

/// The labels without a domain of the operators' that every generated object carries.
pub const COMMON: [&str; 4] =
    [KUBERNETES_NAME, KUBERNETES_INSTANCE, KUBERNETES_PART_OF, KUBERNETES_MANAGED_BY];

/// Whether labels and annotations with this key are for the operators alone.
pub fn is_reserved(key: &str) -> bool {
    key.starts_with(STRIMZI_DOMAIN) || key.starts_with(KASTELLAN_DOMAIN)
}

/// Whether the operators set the label themselves, so that a user's value would change what they select by.
pub fn is_set_by_operators(key: &str) -> bool {
    is_reserved(key) || COMMON.contains(&key)
}

/// What is wrong with a label or with the pattern that keeps labels back.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// A custom resource carries a label of our domain that only operators may set.
    #[error(
        "label {key} is reserved: remove it, only labels that start with strimzi.io/cluster may be set by users"
    )]
    Reserved {
        /// The label's key.
        key: String,
    },
    /// The pattern is not a regular expression.
    #[error("cannot read the labels exclusion pattern {pattern}: {source}")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// What the parser says.
        source: regex::Error,
    },
}

/// The default of `STRIMZI_LABELS_EXCLUSION_PATTERN`.
pub const DEFAULT_EXCLUSION_PATTERN: &str = "^app.kubernetes.io/(?!part-of).*|^kustomize.toolkit.fluxcd.io.*";

/// Decides which labels of a custom resource are not handed on to the objects made for it.
#[derive(Clone, Debug, Default)]
pub struct ExclusionPattern {
    /// `None` stands for the default pattern, whose look-ahead the regex engine does not know.
    custom: Option<Regex>,
}

impl ExclusionPattern {
    /// Reads a pattern that must match the whole key. The default pattern is understood although it has a
    /// look-ahead; other look-aheads are refused.
    pub fn parse(pattern: &str) -> Result<Self, LabelError> {
        if pattern == DEFAULT_EXCLUSION_PATTERN {
            return Ok(Self::default());
        }
        let custom = Regex::new(&format!("^(?:{pattern})$"))
            .map_err(|source| LabelError::Pattern { pattern: pattern.to_owned(), source })?;
        Ok(Self { custom: Some(custom) })
    }

    /// True if a label with this key stays on the custom resource only.
    pub fn excludes(&self, key: &str) -> bool {
        if let Some(custom) = &self.custom {
            return custom.is_match(key);
        }
        key.strip_prefix("app.kubernetes.io/").is_some_and(|rest| !rest.starts_with("part-of"))
            || key.starts_with("kustomize.toolkit.fluxcd.io")
    }

    /// The labels of a custom resource that its objects carry too: all but the excluded ones.
    ///
    /// A label of our own domain is an error, because it could contradict the ones operators select by;
    /// only `strimzi.io/cluster…` is allowed.
    pub fn inherited(
        &self,
        labels: Option<&BTreeMap<String, String>>,
    ) -> Result<BTreeMap<String, String>, LabelError> {
        let mut inherited = BTreeMap::new();
        for (key, value) in labels.into_iter().flatten() {
            if key.starts_with(STRIMZI_DOMAIN) && !key.starts_with(CLUSTER) {
                return Err(LabelError::Reserved { key: key.clone() });
            }
            if !self.excludes(key) {
                inherited.insert(key.clone(), value.clone());
            }
        }
        Ok(inherited)
    }
}

/// Shortens a string to a valid label value: at most 63 characters, ending in a letter or digit.
pub fn valid_value(value: &str) -> String {
    let short: String = value.chars().take(LABEL_VALUE).collect();
    short.trim_end_matches(['-', '_', '.']).to_owned()
}

/// What the default labels of an object are made of.
#[derive(Clone, Copy, Debug)]
pub struct DefaultLabels<'a> {
    /// Kind of the custom resource, for example `Kafka`.
    pub kind: &'a str,
    /// Name of the custom resource.
    pub cluster: &'a str,
    /// Component name, see [`crate::names`].
    pub name: &'a str,
    /// One of [`component`].
    pub component_type: &'a str,
    /// [`MANAGED_BY_CLUSTER_OPERATOR`] or [`MANAGED_BY_USER_OPERATOR`].
    pub managed_by: &'a str,
}

impl DefaultLabels<'_> {
    /// All labels of an object: those inherited from the custom resource, overlaid with the default ones.
    pub fn with(&self, inherited: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut labels = inherited.clone();
        let instance = valid_value(self.cluster);
        let part_of = valid_value(&format!("strimzi-{}", self.cluster));
        for (key, value) in [
            (KIND, self.kind),
            (CLUSTER, self.cluster),
            (NAME, self.name),
            (COMPONENT_TYPE, self.component_type),
            (KUBERNETES_NAME, self.component_type),
            (KUBERNETES_INSTANCE, instance.as_str()),
            (KUBERNETES_PART_OF, part_of.as_str()),
            (KUBERNETES_MANAGED_BY, self.managed_by),
        ] {
            labels.insert(key.to_owned(), value.to_owned());
        }
        labels
    }
}

/// The labels out of `labels` that selectors use: cluster, name, kind and, where there is one, the pool.
pub fn selector(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut selector = BTreeMap::new();
    for key in [CLUSTER, NAME, KIND, POOL_NAME] {
        if let Some(value) = labels.get(key) {
            selector.insert(key.to_owned(), value.clone());
        }
    }
    selector
}

/// A selector in the text form of scale sub-resources and list requests: `key=value,key=value`, in the order
/// cluster, name, kind, pool.
pub fn selector_text(labels: &BTreeMap<String, String>) -> String {
    let mut parts = Vec::new();
    for key in [CLUSTER, NAME, KIND, POOL_NAME] {
        if let Some(value) = labels.get(key) {
            parts.push(format!("{key}={value}"));
        }
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn tool_labels_stay_on_the_custom_resource() {
        let user = map(&[
            ("app.kubernetes.io/name", "other"),
            ("app.kubernetes.io/part-of", "shop"),
            ("kustomize.toolkit.fluxcd.io/name", "x"),
            ("team", "a"),
            ("strimzi.io/cluster", "c"),
        ]);
        let inherited = ExclusionPattern::default().inherited(Some(&user)).unwrap();
        let keys: Vec<_> = inherited.keys().map(String::as_str).collect();
        assert_eq!(keys, ["app.kubernetes.io/part-of", "strimzi.io/cluster", "team"]);
    }

    #[test]
    fn reserved_labels_are_refused_by_name() {
        let error =
            ExclusionPattern::default().inherited(Some(&map(&[("strimzi.io/name", "x")]))).unwrap_err();
        assert!(error.to_string().contains("strimzi.io/name"), "{error}");
    }

    #[test]
    fn a_custom_pattern_replaces_the_default() {
        let pattern = ExclusionPattern::parse("^team.*").unwrap();
        assert!(pattern.excludes("team-label"));
        assert!(!pattern.excludes("app.kubernetes.io/name"));
        assert!(
            ExclusionPattern::parse(DEFAULT_EXCLUSION_PATTERN).unwrap().excludes("app.kubernetes.io/name")
        );
        assert!(ExclusionPattern::parse("(").is_err());
    }

    #[test]
    fn default_labels_overlay_inherited_ones_and_select_by_a_subset() {
        let labels = DefaultLabels {
            kind: "Kafka",
            cluster: "my",
            name: "my-kafka",
            component_type: component::KAFKA,
            managed_by: MANAGED_BY_CLUSTER_OPERATOR,
        }
        .with(&map(&[("app.kubernetes.io/part-of", "shop"), ("team", "a")]));
        assert_eq!(labels["app.kubernetes.io/part-of"], "strimzi-my");
        assert_eq!(labels["team"], "a");
        assert_eq!(
            selector_text(&labels),
            "strimzi.io/cluster=my,strimzi.io/name=my-kafka,strimzi.io/kind=Kafka"
        );
        assert_eq!(selector(&labels).len(), 3);
    }

    #[test]
    fn long_names_are_cut_to_valid_label_values() {
        let long = format!("{}-{}", "a".repeat(62), "b".repeat(30));
        assert_eq!(valid_value(&long), "a".repeat(62));
    }
}
