//! The custom resource definitions, made out of the types.
//!
//! A definition has a list of versions, each with a schema of its own: `v1`, which is stored, and the [`older`] ones
//! that are served beside it.

mod bounds;
pub mod older;

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition, CustomResourceDefinitionVersion,
    CustomResourceValidation, JSONSchemaProps,
};
use kube_core::CustomResourceExt;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

pub use self::bounds::LARGEST_INTEGER;
use crate::labels;
use crate::schema::JsonSchema;

/// What can go wrong when definitions are made.
#[derive(Debug, thiserror::Error)]
pub enum CrdError {
    /// A derived schema has a shape that definitions cannot have.
    #[error("cannot turn the schema of {kind} into a structural schema: {source}")]
    Schema {
        /// The kind.
        kind: String,
        /// What the conversion says.
        source: serde_json::Error,
    },
    /// The tables of older versions do not fit the types.
    #[error(transparent)]
    Older(#[from] older::NoSuchProperty),
    /// A definition could not be printed.
    #[error("cannot print the definition of {kind}: {message}")]
    Print {
        /// The kind.
        kind: String,
        /// What the printer says.
        message: String,
    },
}

/// A definition with the name of the file it is kept in.
#[derive(Clone, Debug, PartialEq)]
pub struct CrdFile {
    /// Name of the file in `crds/`.
    pub name: &'static str,
    /// The definition.
    pub crd: CustomResourceDefinition,
}

/// Every definition, in the order of installation.
pub fn all() -> Result<Vec<CrdFile>, CrdError> {
    use crate::{
        Kafka, KafkaBridge, KafkaBridgeSpec, KafkaBridgeStatus, KafkaConnect, KafkaConnectSpec,
        KafkaConnectStatus, KafkaConnector, KafkaConnectorSpec, KafkaConnectorStatus, KafkaMirrorMaker,
        KafkaMirrorMaker2, KafkaMirrorMaker2Spec, KafkaMirrorMaker2Status, KafkaMirrorMakerSpec,
        KafkaMirrorMakerStatus, KafkaNodePool, KafkaNodePoolSpec, KafkaNodePoolStatus, KafkaRebalance,
        KafkaRebalanceSpec, KafkaRebalanceStatus, KafkaSpec, KafkaStatus, KafkaTopic, KafkaTopicSpec,
        KafkaTopicStatus, KafkaUser, KafkaUserSpec, KafkaUserStatus, StrimziPodSet, StrimziPodSetSpec,
        StrimziPodSetStatus,
    };
    Ok(vec![
        CrdFile { name: "040-Crd-kafka.yaml", crd: definition::<Kafka, KafkaSpec, KafkaStatus>()? },
        CrdFile {
            name: "041-Crd-kafkaconnect.yaml",
            crd: definition::<KafkaConnect, KafkaConnectSpec, KafkaConnectStatus>()?,
        },
        CrdFile {
            name: "042-Crd-strimzipodset.yaml",
            crd: definition::<StrimziPodSet, StrimziPodSetSpec, StrimziPodSetStatus>()?,
        },
        CrdFile {
            name: "043-Crd-kafkatopic.yaml",
            crd: definition::<KafkaTopic, KafkaTopicSpec, KafkaTopicStatus>()?,
        },
        CrdFile {
            name: "044-Crd-kafkauser.yaml",
            crd: definition::<KafkaUser, KafkaUserSpec, KafkaUserStatus>()?,
        },
        CrdFile {
            name: "045-Crd-kafkanodepool.yaml",
            crd: definition::<KafkaNodePool, KafkaNodePoolSpec, KafkaNodePoolStatus>()?,
        },
        CrdFile {
            name: "046-Crd-kafkabridge.yaml",
            crd: definition::<KafkaBridge, KafkaBridgeSpec, KafkaBridgeStatus>()?,
        },
        CrdFile {
            name: "047-Crd-kafkaconnector.yaml",
            crd: definition::<KafkaConnector, KafkaConnectorSpec, KafkaConnectorStatus>()?,
        },
        CrdFile {
            name: "048-Crd-kafkamirrormaker2.yaml",
            crd: definition::<KafkaMirrorMaker2, KafkaMirrorMaker2Spec, KafkaMirrorMaker2Status>()?,
        },
        CrdFile {
            name: "049-Crd-kafkarebalance.yaml",
            crd: definition::<KafkaRebalance, KafkaRebalanceSpec, KafkaRebalanceStatus>()?,
        },
        CrdFile {
            name: "04B-Crd-kafkamirrormaker.yaml",
            crd: definition::<KafkaMirrorMaker, KafkaMirrorMakerSpec, KafkaMirrorMakerStatus>()?,
        },
    ])
}

/// The definition of one kind: names, columns and sub-resources from the derive, the schema from here.
fn definition<K, Spec, Status>() -> Result<CustomResourceDefinition, CrdError>
where
    K: CustomResourceExt,
    Spec: JsonSchema,
    Status: JsonSchema,
{
    let mut crd = K::crd();
    crd.metadata.labels = Some(BTreeMap::from([
        ("app".to_owned(), "strimzi".to_owned()),
        (labels::CRD_INSTALL.to_owned(), "true".to_owned()),
    ]));
    crd.spec.conversion = Some(CustomResourceConversion { strategy: "None".to_owned(), webhook: None });
    let kind = crd.spec.names.kind.clone();
    let (v1, earlier) = older::schemas(&kind, root_schema::<Spec, Status>())?;
    let [version] = crd.spec.versions.as_mut_slice() else { return Ok(crd) };
    version.schema = Some(validation(&kind, v1)?);
    let mut further = version.clone();
    further.schema = Some(validation(&kind, earlier)?);
    further.storage = false;
    crd.spec.versions.extend(
        older::versions(&kind)
            .iter()
            .map(|name| CustomResourceDefinitionVersion { name: (*name).to_owned(), ..further.clone() }),
    );
    for version in &mut crd.spec.versions {
        for column in version.additional_printer_columns.iter_mut().flatten() {
            // Zero is the default and would only make the printed definition longer.
            column.priority = column.priority.filter(|priority| *priority != 0);
        }
    }
    Ok(crd)
}

fn validation(kind: &str, schema: Value) -> Result<CustomResourceValidation, CrdError> {
    let schema: JSONSchemaProps = serde_json::from_value(schema)
        .map_err(|source| CrdError::Schema { kind: kind.to_owned(), source })?;
    Ok(CustomResourceValidation { open_api_v3_schema: Some(schema) })
}

fn root_schema<Spec: JsonSchema, Status: JsonSchema>() -> Value {
    json!({
        "type": "object",
        "properties": {
            "apiVersion": { "type": "string" },
            "kind": { "type": "string" },
            "metadata": { "type": "object" },
            "spec": structural_schema::<Spec>(),
            "status": structural_schema::<Status>(),
        },
    })
}

/// The schema of a type in the shape the API server asks for: no references, one type per property, no null.
fn structural_schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    let mut value = schema.to_value();
    if let Value::Object(object) = &mut value {
        make_structural(object);
    }
    value
}

/// What a derived schema says and a definition must not or need not say. Defaults are applied by the operators, so
/// that a manifest stays as its owner wrote it; formats such as `int32` are not part of the contract.
const DROPPED: [&str; 4] = ["title", "format", "default", "nullable"];

fn make_structural(object: &mut Map<String, Value>) {
    bound_integers(object);
    for key in DROPPED {
        object.remove(key);
    }
    if let Some(Value::String(description)) = object.get_mut("description") {
        // Doc comments are wrapped; whoever shows a description wraps it for itself.
        *description = description.replace('\n', " ");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|one| one != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    unwrap_nullable(object);
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for property in properties.values_mut() {
            if let Value::Object(property) = property {
                make_structural(property);
            }
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(Value::Object(inner)) = object.get_mut(key) {
            make_structural(inner);
        }
    }
}

/// Has the API server refuse numbers that the operators cannot read: one such object would end the watch of all.
fn bound_integers(object: &mut Map<String, Value>) {
    let (least, most) = match object.get("format").and_then(Value::as_str) {
        Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Some("uint32") => (0, i64::from(u32::MAX)),
        // The API server takes 1e30 for an integer, and compares as floating-point numbers.
        Some("int64") => (-LARGEST_INTEGER, LARGEST_INTEGER),
        Some("uint64") => (0, LARGEST_INTEGER),
        _ => return,
    };
    object.entry("minimum").or_insert(json!(least));
    object.entry("maximum").or_insert(json!(most));
}

/// Replaces `anyOf: [X, null]`, which an `Option` can become, by X; what stands beside it wins.
fn unwrap_nullable(object: &mut Map<String, Value>) {
    let null = json!({ "type": "null" });
    let Some(Value::Array(choices)) = object.get("anyOf") else { return };
    let mut others = choices.iter().filter(|choice| **choice != null);
    let (Some(Value::Object(only)), None) = (others.next(), others.next()) else { return };
    let only = only.clone();
    object.remove("anyOf");
    for (key, value) in only {
        object.entry(key).or_insert(value);
    }
    make_structural(object);
}

/// A definition as YAML with sorted keys, the same for the same types on every machine.
pub fn to_yaml(crd: &CustomResourceDefinition) -> Result<String, CrdError> {
    let kind = &crd.spec.names.kind;
    let value =
        serde_json::to_value(crd).map_err(|source| CrdError::Schema { kind: kind.clone(), source })?;
    serde_saphyr::to_string(&Sorted::from(value))
        .map_err(|error| CrdError::Print { kind: kind.clone(), message: error.to_string() })
}

/// A JSON value whose objects are sorted, whatever features `serde_json` was built with, and whose whole numbers are
/// written without a fraction.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Sorted {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Sorted>),
    Object(BTreeMap<String, Sorted>),
}

impl From<Value> for Sorted {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Integer(whole),
                (None, Some(float)) if float.fract() == 0.0 => Self::Integer(float as i64),
                (None, float) => Self::Number(float.unwrap_or_default()),
            },
            Value::String(text) => Self::Text(text),
            Value::Array(list) => Self::List(list.into_iter().map(Self::from).collect()),
            Value::Object(object) => {
                Self::Object(object.into_iter().map(|(key, value)| (key, Self::from(value))).collect())
            }
        }
    }
}
