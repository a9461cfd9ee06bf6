//! `config` of workers and of clients: which options are the user's.

use std::collections::BTreeMap;

use api::schema::FreeMap;

use crate::findings::Findings;
use crate::user_options::{self, Rules, TLS_EXCEPTIONS};

const RULES: Rules = Rules {
    forbidden: &[
        "ssl.",
        "sasl.",
        "security.",
        "listeners",
        "plugin.path",
        "rest.",
        "bootstrap.servers",
        "consumer.interceptor.classes",
        "producer.interceptor.classes",
        "prometheus.metrics.reporter.",
    ],
    exceptions: TLS_EXCEPTIONS,
    instead: "addresses, TLS, authentication and metrics have sections of their own",
};

/// The options that can be taken as they are. What cannot is a problem. `section` is the path of the options.
pub(crate) fn read(
    raw: Option<&FreeMap>,
    section: &str,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    user_options::read(raw, section, &RULES, findings)
}
