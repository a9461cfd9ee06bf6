//! Connectors that Connect has and no resource declares: they go, where connector resources rule the connectors.

use std::collections::BTreeSet;

/// The connectors to remove. `declared` has every connector of which there is a resource, also a resource that cannot be read or is paused.
pub fn undeclared<'a>(
    listed: impl IntoIterator<Item = &'a str>,
    declared: &BTreeSet<String>,
) -> BTreeSet<String> {
    listed.into_iter().filter(|name| !declared.contains(*name)).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_declares_goes() {
        let declared = ["a", "b"].map(ToOwned::to_owned).into();
        assert_eq!(undeclared(["a", "c"], &declared), ["c".to_owned()].into());
        assert!(undeclared([], &declared).is_empty());
    }
}
