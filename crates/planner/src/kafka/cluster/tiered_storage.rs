//! Storage for segments outside the brokers.

use std::collections::BTreeMap;

use api::agent::PlugIn;

/// The class that moves segments to and from remote storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TieredStorage {
    /// Its name.
    pub class: String,
    /// Where it is looked for; `None`: on the class path of Kafka.
    pub class_path: Option<String>,
    /// Its options, without the prefix.
    pub config: BTreeMap<String, String>,
}

impl TieredStorage {
    /// The jar that it takes.
    pub fn plug_in(&self) -> PlugIn {
        PlugIn::RemoteStorageManager { class: self.class.clone(), class_path: self.class_path.clone() }
    }
}
