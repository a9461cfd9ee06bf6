//! What identifies the content of a pod: a pod that runs with another revision is restarted.

use objects::canonical;
use serde_json::Value;

use crate::fingerprint;

/// The containers of a pod, in the order in which they count.
const CONTAINERS: [&str; 2] = ["initContainers", "containers"];

/// What identifies both parts of a pod: the pod without the resources of its containers, and the resources alone. Another
/// spelling of the same pod has the same revisions. The image of the init container `agent` counts in neither.
///
/// The pod is the same afterwards; its parts are set aside and put back, since a pod is too large to be copied for this.
pub(crate) fn revisions(pod: &mut Value, agent: &str) -> (String, String) {
    let (mut resources, mut aside) = (Vec::new(), Vec::new());
    each_container(pod, |list, container| {
        let own = container.get("resources").unwrap_or(&Value::Null);
        resources.push(canonical::text(own, &["spec", list, "resources"]));
    });
    each_field_apart(pod, agent, |field| aside.push(field.take()));
    let rest = fingerprint::short(canonical::text(pod, &[]).as_bytes());
    let mut aside = aside.into_iter();
    each_field_apart(pod, agent, |field| *field = aside.next().unwrap_or_default());
    (rest, fingerprint::short(resources.join("\n").as_bytes()))
}

fn each_container(pod: &mut Value, mut look: impl FnMut(&'static str, &mut Value)) {
    for list in CONTAINERS {
        let found = pod.get_mut("spec").and_then(|spec| spec.get_mut(list)).and_then(Value::as_array_mut);
        found.into_iter().flatten().for_each(|container| look(list, container));
    }
}

/// The fields that do not count for the pod itself, always in the same order.
fn each_field_apart(pod: &mut Value, agent: &str, mut look: impl FnMut(&mut Value)) {
    each_container(pod, |list, container| {
        let is_agent = list == "initContainers" && container["name"] == agent;
        for name in ["resources"].into_iter().chain(is_agent.then_some("image")) {
            if let Some(field) = container.get_mut(name) {
                look(field);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_have_a_revision_of_their_own() {
        let with = |cpu: &str, image: &str| {
            let mut pod = serde_json::json!({"spec": {
                "initContainers": [{"name": "agent", "image": image}, {"name": "b"}],
                "containers": [{"name": "a", "image": "kafka", "resources": {"limits": {"cpu": cpu}}}]}});
            let before = pod.clone();
            let found = revisions(&mut pod, "agent");
            assert_eq!(pod, before, "nothing is lost");
            found
        };
        let (first, second) = (with("1", "old"), with("2", "new"));
        assert_eq!(first.0, second.0);
        assert_ne!(first.1, second.1);
    }
}
