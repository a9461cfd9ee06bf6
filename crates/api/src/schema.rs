//! Schemas that derives cannot express: string enumerations, free-form objects and embedded Kubernetes types.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use k8s_openapi::api::core::v1::ResourceRequirements;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// Values of any type by name, as `config` sections hold them.
pub type FreeMap = BTreeMap<String, Value>;

/// Stands in the schema for an object with any properties.
#[derive(Debug)]
pub struct Free;

impl JsonSchema for Free {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Free".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
    }
}

/// Stands in the schema for a type of the Kubernetes API: its structure without descriptions, required
/// properties and list keys, so that a definition stays small and the API server accepts what Kubernetes
/// itself will check later.
#[derive(Debug)]
pub struct Embedded<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Embedded<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Embedded_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        bare(&mut schema);
        schema
    }
}

/// What embedded schemas keep of the original. The format says how large a number may be: [`crate::crds`] makes bounds out
/// of it.
const KEPT: [&str; 7] = [
    "type",
    "format",
    "properties",
    "items",
    "additionalProperties",
    "x-kubernetes-int-or-string",
    "x-kubernetes-validations",
];

fn bare(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        bare_object(object);
    }
}

fn bare_object(object: &mut Map<String, Value>) {
    object.retain(|key, _| KEPT.contains(&key.as_str()));
    if object.contains_key("x-kubernetes-int-or-string") {
        object.insert("pattern".to_owned(), QUANTITY_PATTERN.into());
        object.insert("anyOf".to_owned(), json!([{ "type": "integer" }, { "type": "string" }]));
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for property in properties.values_mut() {
            if let Value::Object(property) = property {
                bare_object(property);
            }
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(Value::Object(inner)) = object.get_mut(key) {
            bare_object(inner);
        }
    }
}

/// Kubernetes' quantities, such as `500m` or `2Gi`.
const QUANTITY_PATTERN: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";

/// CPU and memory of a container. Quantities may be written as numbers.
pub type Resources = Embedded<ResourceRequirements>;

/// Defines an enumeration of strings with serde, schema, `as_str` and `Display`, from one list of names.
macro_rules! string_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value, in the order of the schema.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value as manifests spell it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($text),+] })
            }
        }
    };
}
pub(crate) use string_enum;
