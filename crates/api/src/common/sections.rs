//! The sections of a `template`, by their names in the custom resource: for what has to look at all of them.

use super::pod_template::{ContainerTemplate, PodTemplate};
use super::template::MetadataTemplate;

/// A `template` of a custom resource.
pub trait Sections {
    /// Labels and annotations of each generated object, by the name of its section (`bootstrapService`).
    fn metadata(&self) -> Vec<(&'static str, &MetadataTemplate)>;
    /// Each generated container, by the name of its section (`kafkaContainer`).
    fn containers(&self) -> Vec<(&'static str, &ContainerTemplate)>;
    /// The generated pods.
    fn pod(&self) -> Option<&PodTemplate>;
}

/// Implements [`Sections`] for a type whose pods are in the field `pod`.
macro_rules! sections {
    ($type:ty {
        objects: $($object:ident $object_name:literal),*;
        containers: $($container:ident $container_name:literal),* $(;)?
    }) => {
        impl $crate::common::sections::Sections for $type {
            fn metadata(&self) -> Vec<(&'static str, &$crate::common::template::MetadataTemplate)> {
                let mut found = Vec::new();
                if let Some(metadata) = self.pod.as_ref().and_then(|section| section.metadata.as_ref()) {
                    found.push(("pod", metadata));
                }
                $(if let Some(metadata) = self.$object.as_ref().and_then(|section| section.metadata.as_ref()) {
                    found.push(($object_name, metadata));
                })*
                found
            }
            fn containers(&self) -> Vec<(&'static str, &$crate::common::pod_template::ContainerTemplate)> {
                let mut found = Vec::new();
                $(if let Some(container) = &self.$container {
                    found.push(($container_name, container));
                })*
                found
            }
            fn pod(&self) -> Option<&$crate::common::pod_template::PodTemplate> {
                self.pod.as_ref()
            }
        }
    };
}
pub(crate) use sections;
