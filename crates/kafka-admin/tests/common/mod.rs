//! What the tests share.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::OnceLock;

use kafka_admin::{Admin, AdminConfig};
use test_support::kafka::{KafkaNode, KafkaOptions};

/// One node for all tests of a file, with two data directories. It dies with the test process.
pub(crate) fn node() -> &'static KafkaNode {
    static NODE: OnceLock<KafkaNode> = OnceLock::new();
    NODE.get_or_init(|| {
        let start = || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime
                .block_on(KafkaNode::start(KafkaOptions { log_dirs: 2, ..KafkaOptions::default() }))
                .unwrap()
        };
        std::thread::spawn(start).join().unwrap()
    })
}

/// A client of the shared node.
pub(crate) fn admin() -> Admin {
    Admin::new(AdminConfig::brokers([node().bootstrap()])).unwrap()
}

/// The good result, as an option.
pub(crate) fn some<T, E>(result: &Result<T, E>) -> Option<&T> {
    result.as_ref().ok()
}
