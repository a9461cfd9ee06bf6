//! Logging sections.

use api::common::logging::Logging as RawLogging;

use super::Findings;
use super::wanted::{LoggingOf, LoggingReference};
use crate::process::log_file::{self, Logging};

/// A logging section. The text of an external one is noted in `references`.
pub(super) fn read(
    raw: Option<&RawLogging>,
    of: LoggingOf,
    field: &str,
    references: &mut Vec<LoggingReference>,
    findings: &mut Findings,
) -> Logging {
    let (logging, text) = log_file::read(raw, field, findings);
    references.extend(text.map(|text| LoggingReference { of, text }));
    logging
}
