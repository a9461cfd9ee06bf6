//! Options of the JVM.

use std::collections::BTreeMap;

use api::agent::{Heap, JvmSettings, SystemProperty, xx_flags};
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

impl JvmOptions {
    /// As the agent is told. Without explicit bounds the heap is a share of the memory in percent, at most so many bytes.
    pub fn settings(&self, most: Option<u64>, percentage: u8) -> JvmSettings {
        let bounds = Heap { xms: self.xms.clone(), xmx: self.xmx.clone() };
        let properties = self.system_properties.iter();
        JvmSettings {
            heap: Some(bounds).filter(|heap| heap.xms.is_some() || heap.xmx.is_some()),
            dynamic_heap_percentage: percentage,
            dynamic_heap_max_bytes: most,
            jvm_performance_options: xx_flags(&self.xx),
            java_system_properties: properties
                .map(|(name, value)| SystemProperty { name: name.clone(), value: value.clone() })
                .collect(),
            gc_logging: self.gc_logging,
            extra_class_path: Vec::new(),
            extra_jvm_arguments: Vec::new(),
        }
    }
}
