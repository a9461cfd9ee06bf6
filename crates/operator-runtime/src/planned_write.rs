//! Carries out what a plan says of an object: its comparison with the live one was made there.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::Request;
use objects::{Change, Precondition, Write};
use serde_json::{Value, json};

use crate::apply::{Applied, Applier, ApplyError, Subject, api_resource, subject_of};

impl Applier {
    /// Writes an object as it was planned. Fields of a live object that other managers own are taken over.
    ///
    /// # Errors
    /// A conflict ([`ApplyError::is_conflict`]) when the plan is outdated: an object that was to be made is there, or one
    /// that was to be changed under a condition changed.
    pub async fn write(&self, write: &Write) -> Result<Applied, ApplyError> {
        if !write.is_change() {
            return Ok(Applied::Unchanged);
        }
        let reference = &write.reference;
        let resource = api_resource(&reference.api_version, &reference.kind);
        let api = self.api(&resource, reference.namespace.as_deref().unwrap_or_default());
        let subject = subject_of(&write.object);
        match &write.precondition {
            Precondition::None => self.apply_planned(&api, &subject, write).await,
            Precondition::Absent => self.create_planned(&api, &subject, &write.object).await,
            Precondition::ResourceVersion(version) => {
                let mut object = write.object.clone();
                if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.insert("resourceVersion".to_owned(), version.clone().into());
                }
                let params = PatchParams::apply(self.manager()).force();
                let patch = Patch::Apply(&object);
                self.request("apply", &subject, api.patch(&reference.name, &params, &patch)).await?;
                Ok(Applied::Updated)
            }
        }
    }

    /// Asks the API server whether it would take the write of an object, without making it.
    ///
    /// # Errors
    /// When it would not, or does not say.
    pub async fn try_apply(&self, object: &Value) -> Result<(), ApplyError> {
        let subject = subject_of(object);
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        let api = self.api(&api_resource(text("apiVersion"), text("kind")), &subject.key.namespace);
        let params = PatchParams::apply(self.manager()).force().dry_run();
        let request =
            Request::new(api.resource_url()).patch(&subject.key.name, &params, &Patch::Apply(object));
        self.send("try to apply", &subject, request).await
    }

    async fn apply_planned(
        &self,
        api: &Api<DynamicObject>,
        subject: &Subject,
        write: &Write,
    ) -> Result<Applied, ApplyError> {
        let patch = Patch::Apply(&write.object);
        let params = PatchParams::apply(self.manager());
        let mut result =
            self.request("apply", subject, api.patch(&write.reference.name, &params, &patch)).await;
        if result.as_ref().is_err_and(ApplyError::is_conflict) && write.change != Change::Create {
            tracing::debug!(object = %subject, "fields belong to another manager, taking them over");
            let forced = params.force();
            result = self.request("apply", subject, api.patch(&write.reference.name, &forced, &patch)).await;
        }
        let written = result?;
        if write.change == Change::Create && was_there(&written, self.manager()) {
            return Err(self.give_back(api, subject, write).await);
        }
        Ok(match &write.change {
            Change::Update { version: Some(before), .. }
                if written.metadata.resource_version.as_ref() == Some(before) =>
            {
                Applied::Unchanged
            }
            Change::Update { .. } => Applied::Updated,
            _ => Applied::Created,
        })
    }

    /// Takes everything back that an apply added to an object which another client made since it was seen that there is none: an apply of nothing
    /// removes what its manager alone has. The answer is that conflict.
    ///
    /// A creation would not touch such an object at all, but it owns every default that the server fills in, for ever, and it takes a second
    /// request to make it look applied (see [`Applier::create_planned`]); for keys, because another client's must not be replaced even for a
    /// moment, that is the price.
    async fn give_back(&self, api: &Api<DynamicObject>, subject: &Subject, write: &Write) -> ApplyError {
        let id = &write.reference;
        let nothing = json!({"apiVersion": id.api_version, "kind": id.kind, "metadata": {"name": id.name}});
        let params = PatchParams::apply(self.manager());
        let patch = Patch::Apply(&nothing);
        match self.request("give back", subject, api.patch(&id.name, &params, &patch)).await {
            Ok(_) => ApplyError::Taken { action: "create", subject: subject.clone() },
            Err(error) => error,
        }
    }

    /// Makes an object that must not be there yet.
    async fn create_planned(
        &self,
        api: &Api<DynamicObject>,
        subject: &Subject,
        object: &Value,
    ) -> Result<Applied, ApplyError> {
        let manager = Some(self.manager().to_owned());
        let parsed: DynamicObject = objects::typed(object).map_err(|error| ApplyError::Malformed {
            action: "create",
            subject: subject.clone(),
            why: error.to_string(),
        })?;
        let params = PostParams { field_manager: manager.clone(), ..PostParams::default() };
        let created = self.request("create", subject, api.create(&params, &parsed)).await?;
        // Made to look applied, so that the next pass has nothing to write, and a later apply can remove fields: those that
        // a creation owns stay for ever. Server-side apply itself cannot be told to create and no more.
        let mut fields = created.metadata.managed_fields.unwrap_or_default();
        for entry in &mut fields {
            entry.operation = Some("Apply".to_owned());
        }
        let patch = json!({"metadata": {
            "resourceVersion": created.metadata.resource_version,
            "managedFields": fields,
        }});
        let name = created.metadata.name.as_deref().unwrap_or_default();
        let params = PatchParams { field_manager: manager, ..PatchParams::default() };
        self.request("change", subject, api.patch(name, &params, &Patch::Merge(&patch))).await?;
        Ok(Applied::Created)
    }
}

/// Whether an object is another client's: it was there before this manager made it, or has fields that both wrote.
///
/// The answer to a creation may be lost, and the object be there with the next one. Then controllers of Kubernetes may have written their
/// parts of it already, a status or what it pulls images with: it is this manager's all the same.
fn was_there(written: &DynamicObject, manager: &str) -> bool {
    let created = written.metadata.creation_timestamp.as_ref();
    let entries = || written.metadata.managed_fields.iter().flatten();
    let is_ours = |entry: &&ManagedFieldsEntry| entry.manager.as_deref() == Some(manager);
    let is_of_creation = |entry: &ManagedFieldsEntry| entry.time.is_some() && entry.time.as_ref() == created;
    let made_it = entries().filter(is_ours).any(is_of_creation);
    let others = entries().filter(|entry| !is_ours(entry) && entry.subresource.as_deref() != Some("status"));
    let mut foreign = others.filter(|other| {
        let shares = entries().filter(is_ours).any(|ours| share_a_field(ours, other));
        shares || is_of_creation(other) && !made_it
    });
    foreign.next().is_some()
}

/// Whether two managers have a field in common.
fn share_a_field(one: &ManagedFieldsEntry, other: &ManagedFieldsEntry) -> bool {
    let (Some(one), Some(other)) = (&one.fields_v1, &other.fields_v1) else { return false };
    share(&one.0, &other.0)
}

fn share(one: &Value, other: &Value) -> bool {
    let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else { return false };
    if one.is_empty() || other.is_empty() {
        return one.is_empty() && other.is_empty();
    }
    // A point is the map or the item itself, which all have that write into it.
    one.iter()
        .filter(|(name, _)| *name != ".")
        .any(|(name, part)| other.get(name).is_some_and(|also| share(part, also)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: &str = "2026-01-01T00:00:00Z";
    const LATER: &str = "2026-01-01T00:00:30Z";

    fn entry(manager: &str, time: &str, subresource: Option<&str>, fields: &Value) -> Value {
        let mut entry = json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": time,
            "fieldsType": "FieldsV1", "fieldsV1": fields});
        if let Some(subresource) = subresource {
            entry["subresource"] = json!(subresource);
        }
        entry
    }

    fn is_others(entries: &[Value]) -> bool {
        let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
            "name": "a", "namespace": "ns", "creationTimestamp": CREATED, "managedFields": entries}});
        was_there(&serde_json::from_value(object).unwrap(), "us")
    }

    #[test]
    fn an_object_of_ours_stays_ours_though_controllers_wrote_into_it_before_the_answer_came() {
        let labels = json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}});
        let pulls = json!({"f:imagePullSecrets": {}});
        assert!(!is_others(&[entry("us", CREATED, None, &labels)]));
        let status = json!({"f:status": {"f:disruptionsAllowed": {}}});
        assert!(!is_others(&[
            entry("us", CREATED, None, &labels),
            entry("kube-controller-manager", CREATED, Some("status"), &status)
        ]));
        for time in [CREATED, LATER] {
            assert!(!is_others(&[entry("us", CREATED, None, &labels), entry("others", time, None, &pulls)]));
        }
        // What is asked for changed meanwhile.
        assert!(!is_others(&[entry("us", LATER, None, &labels), entry("others", LATER, None, &pulls)]));
    }

    #[test]
    fn an_object_that_another_client_made_is_its_own() {
        let labels = json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}});
        let other_labels = json!({"f:metadata": {"f:labels": {".": {}, "f:b": {}}}});
        let theirs = |fields: &Value| {
            is_others(&[entry("us", LATER, None, &labels), entry("them", CREATED, None, fields)])
        };
        assert!(theirs(&labels));
        assert!(theirs(&other_labels));
        assert!(theirs(&json!({"f:data": {"f:x": {}}})));
        // In the same moment.
        assert!(is_others(&[entry("us", CREATED, None, &labels), entry("them", CREATED, None, &labels)]));
    }
}
