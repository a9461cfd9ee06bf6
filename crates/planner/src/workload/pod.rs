//! Pods: security, Secrets for pulling images, and what the user's template says of the whole pod.

use api::common::pod_template::{PodTemplate, TemplatedVolume};
use k8s_openapi::api::core::v1::{
    Affinity, HostAlias, LocalObjectReference, NodeAffinity, NodeSelector, NodeSelectorRequirement,
    NodeSelectorTerm, PodSecurityContext, PodSpec, SeccompProfile, Volume,
};

use super::Defaults;

/// Security of a pod that runs as an ordinary user. `group` owns the volumes.
pub(crate) fn security(user: i64, group: Option<i64>) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(user),
        run_as_group: group,
        fs_group: group,
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..SeccompProfile::default()
        }),
        ..PodSecurityContext::default()
    }
}

/// The Secrets for pulling images that the operator's settings name.
pub(crate) fn pull_secrets(defaults: &Defaults<'_>) -> Option<Vec<LocalObjectReference>> {
    let all = defaults.image_pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() });
    Some(all.collect::<Vec<_>>()).filter(|all| !all.is_empty())
}

/// Lets a pod run only where the Kubernetes node has a label with this key.
pub(crate) fn where_label_exists(key: &str) -> Affinity {
    let has_label = NodeSelectorRequirement {
        key: key.to_owned(),
        operator: "Exists".to_owned(),
        ..NodeSelectorRequirement::default()
    };
    let term = NodeSelectorTerm { match_expressions: Some(vec![has_label]), ..NodeSelectorTerm::default() };
    let node_affinity = NodeAffinity {
        required_during_scheduling_ignored_during_execution: Some(NodeSelector {
            node_selector_terms: vec![term],
        }),
        ..NodeAffinity::default()
    };
    Affinity { node_affinity: Some(node_affinity), ..Affinity::default() }
}

/// Lays the user's pod template over the specification of a pod. `placeholders` are replaced in the names that the
/// template's `templatedVolumes` refer to. Labels, annotations and the size of `/tmp` are not looked at here.
pub(crate) fn apply_template(
    spec: &mut PodSpec,
    template: Option<&PodTemplate>,
    placeholders: &[(&str, String)],
) {
    let Some(template) = template else { return };
    replace(&mut spec.image_pull_secrets, template.image_pull_secrets.as_deref().map(each_once).as_ref());
    replace(&mut spec.security_context, template.security_context.as_ref());
    replace(&mut spec.termination_grace_period_seconds, template.termination_grace_period_seconds.as_ref());
    replace(&mut spec.tolerations, template.tolerations.as_ref());
    replace(&mut spec.topology_spread_constraints, template.topology_spread_constraints.as_ref());
    replace(&mut spec.priority_class_name, template.priority_class_name.as_ref());
    replace(&mut spec.scheduler_name, template.scheduler_name.as_ref());
    replace(&mut spec.host_aliases, template.host_aliases.as_deref().map(one_per_address).as_ref());
    replace(&mut spec.dns_policy, template.dns_policy.map(|policy| policy.to_string()).as_ref());
    replace(&mut spec.dns_config, template.dns_config.as_ref());
    replace(&mut spec.enable_service_links, template.enable_service_links.as_ref());
    replace(&mut spec.host_users, template.host_users.as_ref());
    if let Some(affinity) = &template.affinity {
        spec.affinity = Some(merge_affinity(affinity.clone(), spec.affinity.as_ref()));
    }
    let volumes = spec.volumes.get_or_insert_default();
    volumes.extend(template.volumes.iter().flatten().cloned().map(Volume::from));
    for volume in template.templated_volumes.iter().flatten() {
        volumes.push(of_pod(volume.clone(), placeholders).into());
    }
}

/// The Secrets, each once: the API server tells the items of this list apart by their names.
fn each_once(all: &[LocalObjectReference]) -> Vec<LocalObjectReference> {
    let mut once: Vec<LocalObjectReference> = Vec::new();
    for one in all {
        if !once.contains(one) {
            once.push(one.clone());
        }
    }
    once
}

/// Host names by address: the API server tells the items of this list apart by their addresses.
fn one_per_address(all: &[HostAlias]) -> Vec<HostAlias> {
    let mut merged: Vec<HostAlias> = Vec::new();
    for one in all {
        match merged.iter_mut().find(|known| known.ip == one.ip) {
            Some(known) => {
                known.hostnames.get_or_insert_default().extend(one.hostnames.iter().flatten().cloned());
            }
            None => merged.push(one.clone()),
        }
    }
    merged
}

fn replace<T: Clone>(field: &mut Option<T>, users: Option<&T>) {
    if let Some(users) = users {
        *field = Some(users.clone());
    }
}

/// The volume with the placeholders in the name of its source replaced.
fn of_pod(mut volume: TemplatedVolume, placeholders: &[(&str, String)]) -> TemplatedVolume {
    let names = [
        volume.secret.as_mut().and_then(|source| source.secret_name.as_mut()),
        volume.config_map.as_mut().map(|source| &mut source.name),
        volume.persistent_volume_claim.as_mut().map(|source| &mut source.claim_name),
    ];
    for name in names.into_iter().flatten() {
        for (placeholder, value) in placeholders {
            *name = name.replace(placeholder, value);
        }
    }
    volume
}

/// The user's affinity with our required node terms added to each of the user's.
fn merge_affinity(mut affinity: Affinity, ours: Option<&Affinity>) -> Affinity {
    let our_terms = ours.map(required_terms).unwrap_or_default();
    let expressions = our_terms.first().and_then(|term| term.match_expressions.as_ref());
    let Some(expressions) = expressions else { return affinity };
    let node_affinity = affinity.node_affinity.get_or_insert_default();
    let required = node_affinity.required_during_scheduling_ignored_during_execution.get_or_insert_default();
    if required.node_selector_terms.is_empty() {
        required.node_selector_terms = our_terms.to_vec();
    } else {
        for term in &mut required.node_selector_terms {
            term.match_expressions.get_or_insert_default().extend(expressions.iter().cloned());
        }
    }
    affinity
}

fn required_terms(affinity: &Affinity) -> &[NodeSelectorTerm] {
    let node_affinity = affinity.node_affinity.as_ref();
    let required =
        node_affinity.and_then(|all| all.required_during_scheduling_ignored_during_execution.as_ref());
    required.map(|required| required.node_selector_terms.as_slice()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn needs(keys: &[&str]) -> Affinity {
        let expressions: Vec<_> = keys.iter().map(|key| json!({"key": key, "operator": "Exists"})).collect();
        serde_json::from_value(json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": expressions}]}}}))
        .unwrap()
    }

    #[test]
    fn a_users_affinity_and_ours_must_both_hold() {
        let with = |affinity: Affinity| {
            let mut spec = PodSpec { affinity: Some(needs(&["zone"])), ..PodSpec::default() };
            let template = PodTemplate { affinity: Some(affinity), ..PodTemplate::default() };
            apply_template(&mut spec, Some(&template), &[]);
            spec.affinity
        };
        assert_eq!(with(needs(&["disk"])), Some(needs(&["disk", "zone"])));
        assert_eq!(with(Affinity::default()), Some(needs(&["zone"])));
    }

    #[test]
    fn each_pod_has_the_sources_that_its_templated_volumes_name() {
        let template: PodTemplate = serde_json::from_value(json!({
            "volumes": [{"name": "v", "secret": {"secretName": "s-{nodeId}"}}],
            "templatedVolumes": [
                {"name": "a", "secret": {"secretName": "s-{nodeId}"}},
                {"name": "b", "configMap": {"name": "m-{nodePodName}"}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "{nodeId}-{nodeId}", "readOnly": true}},
            ],
        }))
        .unwrap();
        let mut spec = PodSpec::default();
        let placeholders = [("{nodeId}", "7".to_owned()), ("{nodePodName}", "c-p-7".to_owned())];
        apply_template(&mut spec, Some(&template), &placeholders);
        assert_eq!(
            objects::json(&spec.volumes),
            json!([
                {"name": "v", "secret": {"secretName": "s-{nodeId}"}},
                {"name": "a", "secret": {"secretName": "s-7"}},
                {"name": "b", "configMap": {"name": "m-c-p-7"}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "7-7", "readOnly": true}},
            ])
        );
    }
}
