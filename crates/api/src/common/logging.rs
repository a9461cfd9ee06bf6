//! Logging of the operands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::refs::ConfigMapSource;
use crate::schema::{JsonSchema, string_enum};

/// What is logged.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Logging {
    /// `inline` takes levels from `loggers`, `external` takes a whole configuration from a ConfigMap.
    #[serde(rename = "type")]
    pub type_: LoggingType,
    /// Log levels by logger, for example `rootLogger.level: INFO` (`inline`).
    pub loggers: Option<BTreeMap<String, String>>,
    /// The ConfigMap with a log4j2 configuration (`external`).
    pub value_from: Option<ConfigMapSource>,
}

string_enum! {
    /// Where the logging configuration comes from.
    LoggingType {
        /// From the resource itself.
        Inline = "inline",
        /// From a ConfigMap.
        External = "external",
    }
}
