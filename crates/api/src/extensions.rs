//! The properties that the custom resources have beyond the compatibility contract.
//!
//! Every one is optional and has no default in the schema, so that a manifest without it means what it means to Strimzi. The
//! contract test allows exactly these paths, and `docs/extensions.md` lists them with the words of this table.

/// A property beyond the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Kind of the resource.
    pub kind: &'static str,
    /// Path of the property; `a[]` is an item of the list `a`, `a.*` a value of the map `a`.
    pub path: &'static str,
    /// Type in the schema: `string`, `integer`, `number`, `boolean`, `object`, `array`, or `int-or-string`; with `+free` where
    /// unknown properties are kept.
    pub type_: &'static str,
    /// What holds without the property, in words.
    pub default: &'static str,
    /// What the property is for, in words.
    pub purpose: &'static str,
}

/// All of them, by kind and path. A property inside of another one is an entry of its own.
pub const EXTENSIONS: &[Extension] = &[
    Extension {
        kind: "Kafka",
        path: "spec.kafka.nodeConfig",
        type_: "object",
        default: "every node has the options of `spec.kafka.config`",
        purpose: "options of single nodes by node id, range (`3-5`) or list (`0, 3-5`)",
    },
    Extension {
        kind: "Kafka",
        path: "spec.objectOverrides",
        type_: "object",
        default: "objects are as the operator and the templates make them",
        purpose: "patches over generated objects by kind and name, where the installation allows them",
    },
];

/// Those of a kind.
pub fn of_kind(kind: &str) -> impl Iterator<Item = &'static Extension> {
    EXTENSIONS.iter().filter(move |extension| extension.kind == kind)
}
