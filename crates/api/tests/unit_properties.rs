//! The one function by which strings get into properties files: what Java reads back is what was meant.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

#[path = "../../planner/tests/common/java_properties.rs"]
mod java_properties;

use api::properties::{self, Properties};
use java_properties::load;
use proptest::prelude::*;

/// Texts with much of what means something to Java, and texts of any characters.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ \t\u{c}\n\r=:#!\\\\untrf0a\u{e4}\u{1f600}\u{85}\u{2028}]{0,12}".prop_map(|text| text),
        any::<String>()
    ]
}

fn owned(properties: &Properties) -> Vec<(String, String)> {
    properties.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn java_reads_back_each_line_as_it_was_meant(name in text(), value in text()) {
        let line = properties::line(&name, &value);
        prop_assert!(line.is_ascii());
        prop_assert_eq!(line.matches(['\n', '\r']).count(), 1, "{:?}", line);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let meant = vec![pair("before", "1"), pair(&name, &value), pair("after", "2")];
        let text = format!("before=1\n{line}after=2\n");
        prop_assert_eq!(load(&text), meant);
    }

    #[test]
    fn our_reader_reads_what_java_reads(entries in prop::collection::vec((text(), text()), 0..8)) {
        let properties: Properties = entries.into_iter().collect();
        let text = properties.to_text();
        prop_assert_eq!(text.lines().count(), properties.len());
        prop_assert_eq!(load(&text), owned(&properties));
        prop_assert_eq!(properties::parse(&text).unwrap(), properties);
    }
}
