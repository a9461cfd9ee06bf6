//! That all crates come from the one registry, which the lock file alone can show. Forbidden crates, licences and
//! security advisories are looked at by `make lint`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The first value of `key = "value"` in a text.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split_once(&format!("{key} = \"")).and_then(|(_, rest)| rest.split('"').next())
}

#[test]
fn all_crates_come_from_one_registry_and_have_a_checksum() {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let mut others = 0;
    for package in lock.split("[[package]]").skip(1) {
        let Some(source) = value(package, "source") else { continue };
        let name = value(package, "name").unwrap();
        assert_eq!(source, CRATES_IO, "{name}");
        assert!(value(package, "checksum").is_some(), "{name}");
        others += 1;
    }
    assert!(others > 100, "the lock file was not understood");
}
