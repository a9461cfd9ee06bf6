//! Lists past all caches, metadata only and in pages: for what is asked so seldom that a watch would be a waste.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::ApiResource;

use crate::apply::{Applier, ApplyError, Subject};
use crate::watch::source::Source;
use crate::watch::{ObjectRef, metadata};

const ACTION: &str = "list";

impl Applier {
    /// Calls `each` with the metadata of every object of a kind that matches the selectors. An empty `namespace` is for
    /// all namespaces, or for cluster-wide kinds. A kind that the server does not know is an error
    /// ([`ApplyError::is_not_found`]), so that no objects means that there are none. Annotations, managed fields and labels
    /// of others are left out, and so are finalizers and owners that are longer than 16 KiB together.
    pub async fn each_metadata<K>(
        &self,
        namespace: &str,
        labels: Option<&str>,
        fields: Option<&str>,
        mut each: impl FnMut(ObjectMeta) + Send,
    ) -> Result<(), ApplyError>
    where
        K: Resource,
        K::DynamicType: Default,
    {
        let resource = ApiResource::erase::<K>(&K::DynamicType::default());
        let subject = Subject { kind: resource.kind.clone(), key: ObjectRef::new(namespace, "*") };
        let source = Source::new::<K>(self.client(), namespace).metadata_only().labels(labels).fields(fields);
        let mut nameless = None;
        let listed = source.list(|object| match metadata(object) {
            Ok(metadata) => each(metadata),
            Err(error) => nameless = Some(error),
        });
        let failed = match (listed.await, nameless) {
            (Ok(_), None) => return Ok(()),
            (Ok(_), Some(error)) => error.into(),
            (Err(error), _) => error,
        };
        Err(match failed.into_request() {
            Ok(source) => ApplyError::Api { action: ACTION, subject, source },
            Err(error) => ApplyError::Malformed { action: ACTION, subject, why: error.to_string() },
        })
    }

    /// The metadata of one object, past all caches; `None`: there is none. An answer that does not come from a list, such as that of
    /// a server that lacks the kind for a moment, is an error: much is deleted because of this.
    ///
    /// # Errors
    /// When the API server does not answer or refuses.
    pub async fn metadata<K>(&self, key: &ObjectRef) -> Result<Option<ObjectMeta>, ApplyError>
    where
        K: Resource,
        K::DynamicType: Default,
    {
        let mut found = None;
        let fields = format!("metadata.name={}", key.name);
        self.each_metadata::<K>(&key.namespace, None, Some(&fields), |metadata| found = Some(metadata))
            .await?;
        Ok(found)
    }
}
