//! Storage classes with the names that manifests ask for.

use anyhow::{Context, Result};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::Scenario;

/// A class of this name that makes volumes as the default one does.
pub async fn like_the_default(scenario: &Scenario, name: &str) -> Result<Api<StorageClass>> {
    const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
    let classes: Api<StorageClass> = Api::all(scenario.client.clone());
    let all = classes.list(&ListParams::default()).await?;
    let is_default =
        |class: &&StorageClass| class.annotations().get(DEFAULT).is_some_and(|value| value == "true");
    let mut class = all.items.iter().find(is_default).context("there is no default storage class")?.clone();
    class.metadata = serde_json::from_value(json!({"name": name}))?;
    let mut class = serde_json::to_value(class)?;
    class["apiVersion"] = json!("storage.k8s.io/v1");
    class["kind"] = json!("StorageClass");
    classes.patch(name, &PatchParams::apply("e2e").force(), &Patch::Apply(&class)).await?;
    Ok(classes)
}
