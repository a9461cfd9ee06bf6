//! What is kept of a live object, so that an apply can be compared with it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

use api::FIELD_MANAGER;

/// Keeps only our own entry of the managed fields, without the fields that no comparison reads. For `project` functions of watches this was done already.
pub fn own_entry(entries: Vec<ManagedFieldsEntry>) -> Option<Vec<ManagedFieldsEntry>> {
    let mine = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    };
    let mut own: Vec<ManagedFieldsEntry> = entries.into_iter().filter(mine).collect();
    for entry in &mut own {
        entry.time = None;
        entry.fields_type = None;
    }
    // An empty list still says that the managed fields were looked at and none is ours.
    Some(own)
}
