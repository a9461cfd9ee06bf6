//! CPU and memory of a proxy.

use api::kafka::listeners::SingleAddress as Raw;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use objects::quantity;

use crate::kafka::cluster::SingleAddress;

/// What the proxy gets unless the resource says otherwise: a limit for some ten thousand connections.
pub(super) fn of(single: &SingleAddress) -> ResourceRequirements {
    if let Some(resources) = &single.resources {
        return resources.clone();
    }
    let quantity = |name: &str, text: &str| (name.to_owned(), Quantity(text.to_owned()));
    ResourceRequirements {
        requests: Some([quantity("cpu", Raw::CPU), quantity("memory", Raw::MEMORY)].into()),
        limits: Some([quantity("memory", Raw::MEMORY_LIMIT)].into()),
        ..ResourceRequirements::default()
    }
}

/// The limit of the memory in bytes.
pub(super) fn memory_limit(single: &SingleAddress) -> Option<u64> {
    let resources = of(single);
    let limit = resources.limits.as_ref()?.get("memory")?;
    quantity::Quantity::parse(&limit.0)?.whole()
}
