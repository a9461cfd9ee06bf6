//! Schemas that derives cannot express: string enumerations, free-form objects and embedded Kubernetes types.
//!
//! Without the feature `schema` the types have none: only the definitions and the tests need schemas, and the code that
//! makes them, for every type of Kubernetes too, is long to build. The derive `JsonSchema` then
//! makes nothing, so that the types read the same either way.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use k8s_openapi::api::core::v1::ResourceRequirements;
#[cfg(not(feature = "schema"))]
pub(crate) use no_schema::JsonSchema;
#[cfg(feature = "schema")]
pub use schemars::JsonSchema;
use serde_json::Value;

#[cfg(feature = "schema")]
mod written;

/// Values of any type by name, as `config` sections hold them.
pub type FreeMap = BTreeMap<String, Value>;

/// Stands in the schema for an object with any properties.
#[derive(Debug)]
pub struct Free;

/// Stands in the schema for a type of the Kubernetes API: its structure without descriptions, required
/// properties and list keys, so that a definition stays small and the API server accepts what Kubernetes
/// itself will check later.
#[derive(Debug)]
pub struct Embedded<T>(PhantomData<T>);

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

        #[cfg(feature = "schema")]
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
