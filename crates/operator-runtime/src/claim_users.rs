//! Who uses a claim for a volume that does not say so itself: a StatefulSet refers to its claims by their names alone, and a pod names
//! those that it mounts.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;

use crate::apply::{Applier, ApplyError, Subject};
use crate::named_object::unread;
use crate::watch::ObjectRef;
use crate::watch::json::{self, NotJson};
use crate::watch::source::Source;

/// Phases of pods that mount nothing any more.
const OVER: [&str; 2] = ["Succeeded", "Failed"];

impl Applier {
    /// Kind and name of what uses each of these claims of a namespace, by the name of the claim, read past all caches: a StatefulSet that
    /// made it, or would take it up by its name, else a pod that mounts it and has not ended. `is_own` is asked with the labels of such a
    /// pod, and those are left out. It takes the right to list both kinds; without the right for StatefulSets these are not looked at. Both
    /// are listed once for all claims.
    ///
    /// # Errors
    /// When the API server does not answer or refuses.
    pub async fn claim_users(
        &self,
        namespace: &str,
        claims: &BTreeSet<String>,
        is_own: impl Fn(&BTreeMap<String, String>) -> bool + Send + Sync,
    ) -> Result<BTreeMap<String, String>, ApplyError> {
        let mut users = BTreeMap::new();
        let mut of_sets: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for claim in claims {
            for (template, set) in possible_sets(claim) {
                of_sets.entry(set).or_default().push((template, claim));
            }
        }
        if !of_sets.is_empty() {
            let source = Source::new::<StatefulSet>(self.client(), namespace);
            let listed = source.list(|set| {
                let name = at(set, &["metadata", "name"]).ok().flatten().and_then(json::plain_string);
                let Some((name, possible)) = name.and_then(|name| Some((name, of_sets.get(name)?))) else {
                    return;
                };
                for (template, claim) in possible {
                    if has_template(set, template).unwrap_or(false) {
                        users.insert((*claim).to_owned(), format!("StatefulSet {name}"));
                    }
                }
            });
            match listed.await {
                Ok(_) => {}
                Err(error) if error.is_forbidden() || error.is_not_found() => {}
                Err(error) => {
                    let key = ObjectRef::new(namespace, "");
                    return Err(unread(Subject { kind: "StatefulSet".to_owned(), key }, error));
                }
            }
        }
        let source = Source::new::<Pod>(self.client(), namespace);
        let listed = source.list(|pod| {
            let Ok(Some((name, mounted))) = mounting(pod, claims, &is_own) else { return };
            for claim in mounted {
                users.entry(claim).or_insert_with(|| format!("Pod {name}"));
            }
        });
        match listed.await {
            Ok(_) => Ok(users),
            Err(error) => {
                let key = ObjectRef::new(namespace, "");
                Err(unread(Subject { kind: "PersistentVolumeClaim".to_owned(), key }, error))
            }
        }
    }
}

/// Templates and StatefulSets of which a claim may be, by its name: `<template>-<set>-<number>`.
fn possible_sets(claim: &str) -> Vec<(&str, &str)> {
    let Some((stem, number)) = claim.rsplit_once('-') else { return Vec::new() };
    if number.parse::<u32>().is_err() {
        return Vec::new();
    }
    let dashes = stem.match_indices('-').map(|(place, _)| place);
    let parts = dashes.map(|place| (&stem[..place], &stem[place + 1..]));
    parts.filter(|(template, set)| !template.is_empty() && !set.is_empty()).collect()
}

/// Whether a StatefulSet has a template of this name for claims.
fn has_template(set: &str, name: &str) -> Result<bool, NotJson> {
    let Some(templates) = at(set, &["spec", "volumeClaimTemplates"])?.filter(|all| *all != "null") else {
        return Ok(false);
    };
    for template in json::items(templates)? {
        if at(template?.text, &["metadata", "name"])?.and_then(json::plain_string) == Some(name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The name of a pod of others, and which of the claims it mounts; `None`: none.
fn mounting(
    pod: &str,
    claims: &BTreeSet<String>,
    is_own: impl Fn(&BTreeMap<String, String>) -> bool,
) -> Result<Option<(String, BTreeSet<String>)>, NotJson> {
    let Some(volumes) = at(pod, &["spec", "volumes"])?.filter(|all| *all != "null") else { return Ok(None) };
    let mut mounted = BTreeSet::new();
    for volume in json::items(volumes)? {
        let name = at(volume?.text, &["persistentVolumeClaim", "claimName"])?.and_then(json::plain_string);
        mounted.extend(name.filter(|name| claims.contains(*name)).map(str::to_owned));
    }
    let phase = at(pod, &["status", "phase"])?.and_then(json::plain_string);
    if mounted.is_empty() || phase.is_some_and(|phase| OVER.contains(&phase)) {
        return Ok(None);
    }
    let labels = at(pod, &["metadata", "labels"])?.and_then(|text| serde_json::from_str(text).ok());
    if is_own(&labels.unwrap_or_default()) {
        return Ok(None);
    }
    let name = at(pod, &["metadata", "name"])?.and_then(json::plain_string);
    Ok(name.map(|name| (name.to_owned(), mounted)))
}

fn at<'a>(text: &'a str, path: &[&str]) -> Result<Option<&'a str>, NotJson> {
    let mut found = Some(text);
    for name in path {
        let Some(text) = found.filter(|text| *text != "null") else { return Ok(None) };
        found = json::member(text, name)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_name_of_a_claim_leads_to_the_sets_that_would_take_it_up() {
        assert_eq!(possible_sets("data-a-b-0"), [("data", "a-b"), ("data-a", "b")]);
        for none in ["data", "data-a", "data-a-x", "data-0", "-a-0"] {
            assert!(possible_sets(none).is_empty(), "{none}");
        }
        let set = json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "wal"}}, {"metadata": {"name": "data"}}]}});
        assert!(has_template(&set.to_string(), "data").unwrap());
        for other in [set, json!({"spec": {"volumeClaimTemplates": null}}), json!({})] {
            assert!(!has_template(&other.to_string(), "dat").unwrap());
        }
    }

    #[test]
    fn only_pods_of_others_that_have_not_ended_use_a_claim() {
        let pod = |phase: &str, team: &str| {
            json!({"metadata": {"name": "p", "labels": {"team": team}}, "status": {"phase": phase},
                "spec": {"volumes": [{"name": "e", "emptyDir": {}}, {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}})
            .to_string()
        };
        let user = |pod: &str, claim: &str| {
            let claims = BTreeSet::from([claim.to_owned()]);
            let found =
                mounting(pod, &claims, |labels| labels.get("team").is_some_and(|team| team == "ours"));
            found.unwrap().map(|(name, mounted)| {
                assert_eq!(mounted, claims);
                name
            })
        };
        assert_eq!(user(&pod("Running", "theirs"), "c").as_deref(), Some("p"));
        assert_eq!(user(&pod("Pending", "theirs"), "c").as_deref(), Some("p"));
        assert_eq!(user(&pod("Succeeded", "theirs"), "c"), None);
        assert_eq!(user(&pod("Running", "ours"), "c"), None);
        assert_eq!(user(&pod("Running", "theirs"), "d"), None);
        assert_eq!(user(r#"{"metadata":{"name":"p"},"spec":{}}"#, "c"), None);
    }
}
