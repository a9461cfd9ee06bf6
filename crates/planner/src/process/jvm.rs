//! Options of the JVM.

use std::collections::BTreeMap;

use api::common::jvm as raw;

/// Options of the JVM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JvmOptions {
    /// `-Xms`.
    pub xms: Option<String>,
    /// `-Xmx`.
    pub xmx: Option<String>,
    /// `-XX` options by name.
    pub xx: BTreeMap<String, String>,
    /// System properties in order.
    pub system_properties: Vec<(String, String)>,
    /// Whether garbage collection is logged.
    pub gc_logging: bool,
}

impl From<&raw::JvmOptions> for JvmOptions {
    fn from(raw: &raw::JvmOptions) -> Self {
        let properties = raw.java_system_properties.iter().flatten();
        Self {
            xms: raw.xms.clone(),
            xmx: raw.xmx.clone(),
            xx: raw.xx.clone().unwrap_or_default(),
            system_properties: properties
                .filter_map(|property| {
                    Some((property.name.clone()?, property.value.clone().unwrap_or_default()))
                })
                .collect(),
            gc_logging: raw.gc_logging_enabled.unwrap_or(false),
        }
    }
}
