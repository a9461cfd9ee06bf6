//! Storage of nodes.

use api::common::storage::{Storage, StorageType, Volume};
use objects::quantity::Quantity;

/// Storage of a kind of which nothing else is said.
pub(super) fn of_kind(type_: StorageType) -> Storage {
    Storage {
        type_,
        id: None,
        size: None,
        class: None,
        selector: None,
        delete_claim: None,
        volume_attributes_class: None,
        size_limit: None,
        kraft_metadata: None,
        volumes: None,
        overrides: None,
    }
}

/// Storage of several volumes, or of one to which others can be added.
pub(super) fn jbod(volumes: Vec<Volume>) -> Storage {
    Storage { volumes: Some(volumes), ..of_kind(StorageType::Jbod) }
}

/// Whether a text is a quantity above nothing that a size may have.
pub(super) fn is_quantity(text: &str) -> bool {
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    is_plain && Quantity::parse(text).is_some_and(Quantity::is_positive)
}
