//! Where the Service of a REST API leads. Whoever may make Services in a namespace can have one of any name lead anywhere, also into
//! the namespaces of others, where the operator may go and its author may not.

use std::net::IpAddr;

use api::labels;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use operator_runtime::watch::OwnerRef;
use serde_json::Value;

/// The end of the names of such Services; what stands before is the component that their pods belong to.
const ENDING: &str = "-api";

/// The Service of the REST API of workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestService {
    /// UIDs of its owners. The operators' own objects have no owner that controls them, as with Strimzi.
    owners: Vec<String>,
    /// UID of an owner that controls it, if there is one.
    controller: Option<String>,
    /// Its address within the Kubernetes cluster, or why it is not used.
    address: Result<IpAddr, &'static str>,
}

impl RestService {
    /// Out of a Service with the labels of a resource; `None`: it is that of no REST API.
    pub(super) fn of(owner: &OwnerRef, metadata: &ObjectMeta, service: &Value) -> Option<Box<Self>> {
        let component = metadata.name.as_deref()?.strip_suffix(ENDING)?;
        let owners = || metadata.owner_references.iter().flatten();
        let controller = owners().find(|one| one.controller == Some(true)).map(|one| one.uid.clone());
        let address = address(owner, component, &service["spec"]);
        Some(Box::new(Self { owners: owners().map(|one| one.uid.clone()).collect(), controller, address }))
    }

    /// The address, if the Service belongs to the very resource and leads to its pods.
    ///
    /// # Errors
    /// Why it is not used, as the end of a sentence that begins with the Service.
    pub fn address_for(&self, uid: Option<&str>) -> Result<IpAddr, &'static str> {
        let is_own = uid.is_some_and(|uid| self.owners.iter().any(|owner| owner == uid));
        if !is_own || self.controller.as_deref().is_some_and(|controller| Some(controller) != uid) {
            return Err("was not made for this resource");
        }
        self.address
    }
}

fn address(owner: &OwnerRef, component: &str, spec: &Value) -> Result<IpAddr, &'static str> {
    if spec["type"] == "ExternalName" {
        return Err("leads to another host name (type ExternalName)");
    }
    let wanted = [
        (labels::CLUSTER, owner.object.name.as_str()),
        (labels::KIND, owner.kind.as_str()),
        (labels::NAME, component),
    ];
    if wanted.iter().any(|(label, value)| spec["selector"][label] != *value) {
        return Err("does not select the pods of the workers");
    }
    // An address with a zone or of the machine itself is none of a Service.
    let address = spec["clusterIP"].as_str().and_then(|address| address.parse::<IpAddr>().ok());
    address.filter(|address| !address.is_loopback()).ok_or("has no address of its own (spec.clusterIP)")
}

#[cfg(test)]
mod tests {
    use operator_runtime::watch::ObjectRef;
    use serde_json::json;

    use super::*;

    fn service(change: impl Fn(&mut Value)) -> Result<String, &'static str> {
        let mut service = json!({
            "metadata": {"name": "c-connect-api", "ownerReferences": [{"apiVersion": "kafka.strimzi.io/v1",
                "kind": "KafkaConnect", "name": "c", "uid": "u", "controller": false}]},
            "spec": {"clusterIP": "10.96.0.7", "selector": {"strimzi.io/cluster": "c",
                "strimzi.io/kind": "KafkaConnect", "strimzi.io/name": "c-connect"}},
        });
        change(&mut service);
        let metadata: ObjectMeta = serde_json::from_value(service["metadata"].clone()).unwrap();
        let owner = OwnerRef::new("KafkaConnect", ObjectRef::new("ns", "c"));
        let found = RestService::of(&owner, &metadata, &service).unwrap();
        found.address_for(Some("u")).map(|address| address.to_string())
    }

    #[test]
    fn only_the_service_of_the_very_resource_that_leads_to_its_own_pods_is_used() {
        type Change = fn(&mut Value);

        assert_eq!(service(|_| {}), Ok("10.96.0.7".to_owned()));
        assert_eq!(service(|one| one["spec"]["clusterIP"] = json!("fd00::7")), Ok("fd00::7".to_owned()));
        assert_eq!(service(|one| one["spec"]["type"] = json!("NodePort")), Ok("10.96.0.7".to_owned()));
        let cases: [(Change, &str); 8] = [
            (|one| one["metadata"]["ownerReferences"] = json!([]), "not made for"),
            (|one| one["metadata"]["ownerReferences"][0]["uid"] = json!("other"), "not made for"),
            (
                |one| {
                    let other = json!({"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "x", "controller": true});
                    one["metadata"]["ownerReferences"].as_array_mut().unwrap().push(other);
                },
                "not made for",
            ),
            (|one| one["spec"]["type"] = json!("ExternalName"), "ExternalName"),
            (|one| one["spec"]["clusterIP"] = json!("None"), "clusterIP"),
            (|one| one["spec"]["clusterIP"] = json!("127.0.0.1"), "clusterIP"),
            (|one| one["spec"]["selector"] = json!(null), "select"),
            (|one| one["spec"]["selector"]["strimzi.io/kind"] = json!("Kafka"), "select"),
        ];
        for (change, words) in cases {
            let why = service(change).unwrap_err();
            assert!(why.contains(words), "{words}: {why}");
        }
    }
}
