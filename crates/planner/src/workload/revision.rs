//! What identifies the content of a pod: a pod that runs with another revision is restarted.

use k8s_openapi::api::core::v1::Pod;
use objects::{canonical, json};

use crate::fingerprint;

/// Takes the resources of all containers out of a pod and says what identifies both parts: the pod without
/// resources, and the resources alone. Another spelling of the same pod has the same revisions.
pub fn revisions(mut rest: Pod) -> (String, String) {
    let mut resources = Vec::new();
    if let Some(spec) = &mut rest.spec {
        let init = spec.init_containers.iter_mut().flatten().map(|container| ("initContainers", container));
        let all = init.chain(spec.containers.iter_mut().map(|container| ("containers", container)));
        for (list, container) in all {
            let taken = json(&container.resources.take());
            resources.push(canonical::text(&taken, &["spec", list, "resources"]));
        }
    }
    (
        fingerprint::short(canonical::text(&json(&rest), &[]).as_bytes()),
        fingerprint::short(resources.join("\n").as_bytes()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_have_a_revision_of_their_own() {
        let with = |cpu: &str| -> Pod {
            serde_json::from_value(serde_json::json!({"spec": {"containers": [
                {"name": "a", "resources": {"limits": {"cpu": cpu}}}]}}))
            .unwrap()
        };
        let (first, second) = (revisions(with("1")), revisions(with("2")));
        assert_eq!(first.0, second.0);
        assert_ne!(first.1, second.1);
    }
}
