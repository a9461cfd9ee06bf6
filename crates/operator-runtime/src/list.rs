//! Lists past all caches, metadata only and in pages: for what is asked so seldom that a watch would be a waste.

use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use kube::core::ApiResource;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::apply::{Applier, ApplyError, Subject};
use crate::watch::ObjectRef;

/// Objects per page. Bounds the memory: a page is decoded as a whole.
const PAGE_SIZE: u32 = 250;

impl Applier {
    /// Calls `each` with the metadata of every object of a kind that matches the selectors. An empty `namespace` is for
    /// all namespaces, or for cluster-wide kinds. A kind that the server does not know is an error
    /// ([`ApplyError::is_not_found`]), so that no objects means that there are none.
    pub async fn each_metadata<K>(
        &self,
        namespace: &str,
        labels: Option<&str>,
        fields: Option<&str>,
        mut each: impl FnMut(ObjectMeta) + Send,
    ) -> Result<(), ApplyError>
    where
        K: Resource + Clone + DeserializeOwned + Debug,
        K::DynamicType: Default,
    {
        let resource = ApiResource::erase::<K>(&K::DynamicType::default());
        let subject = Subject { kind: resource.kind.clone(), key: ObjectRef::new(namespace, "*") };
        let api: Api<kube::core::DynamicObject> = self.api(&resource, namespace);
        let mut params = ListParams::default().limit(PAGE_SIZE);
        if let Some(labels) = labels {
            params = params.labels(labels);
        }
        if let Some(fields) = fields {
            params = params.fields(fields);
        }
        loop {
            let page = self.request("list", &subject, api.list_metadata(&params)).await?;
            for object in page.items {
                each(object.metadata);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(()),
            }
        }
    }
}
