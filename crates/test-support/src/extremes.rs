//! Objects with the largest and smallest numbers and the deepest values that a definition accepts.

use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::Request;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::schema::{self, Property};

/// More levels than a reader of JSON takes; the API server does not mind.
const LEVELS: usize = 140;

/// More than 32 bits hold.
const TOO_LARGE: u64 = 3_000_000_000;

/// Properties that are set in one object where all of them are within the bounds of the definition.
const WITHIN_TOGETHER: usize = 8;

/// The same where they are beyond them: a reader stops at the first one anyway.
const BEYOND_TOGETHER: usize = 24;

/// Objects of one kind, each with properties at one extreme.
pub struct Extremes<'a> {
    /// Schema of the kind, with the bounds that the operators count on.
    pub schema: &'a Value,
    /// Makes a sound object of this name.
    pub base: &'a dyn Fn(&str) -> Value,
    /// What the names begin with.
    pub prefix: &'a str,
}

/// An object that the API server has accepted.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// Properties and values.
    pub what: String,
}

type Case<'a> = (&'a Property, Value);

impl Extremes<'_> {
    /// Makes them all. Where the API server refuses several properties together, each half of them is tried.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn create(
        &self,
        client: &Client,
        namespace: &str,
        resource: &ApiResource,
    ) -> anyhow::Result<Vec<Made>> {
        let properties = schema::properties(self.schema);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
        let mut made = Vec::new();
        let mut waiting: Vec<Vec<Case<'_>>> = cases(&properties);
        while let Some(batch) = waiting.pop() {
            let name = format!("{}-{}", self.prefix, made.len());
            let mut object = (self.base)(&name);
            for (property, value) in &batch {
                schema::put(self.schema, &mut object, &property.path, value.clone());
            }
            let request = Request::new(api.resource_url());
            let request = request.create(&PostParams::default(), object.to_string().into_bytes())?;
            match client.request_text(request).await {
                Ok(_) => made.push(Made { name, what: words(&batch) }),
                Err(kube::Error::Api(refused)) if matches!(refused.code, 400 | 422) => {
                    if batch.len() > 1 {
                        let (one, other) = batch.split_at(batch.len() / 2);
                        waiting.extend([one.to_vec(), other.to_vec()]);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(made)
    }
}

fn words(batch: &[Case<'_>]) -> String {
    let short =
        |value: &Value| if value.is_number() { value.to_string() } else { format!("{LEVELS} levels") };
    let all: Vec<String> =
        batch.iter().map(|(property, value)| format!("{property}: {}", short(value))).collect();
    all.join(", ")
}

fn cases<'a>(properties: &'a [Property]) -> Vec<Vec<Case<'a>>> {
    let integers = || properties.iter().filter(|property| property.is_integer());
    let mut batches = Vec::new();
    let mut add = |cases: Vec<Case<'a>>, together: usize| {
        batches.extend(cases.chunks(together).map(<[_]>::to_vec));
    };
    for bound in [lowest, highest] {
        add(integers().map(|property| (property, bound(&property.schema))).collect(), WITHIN_TOGETHER);
    }
    for value in [json!(TOO_LARGE), json!(i64::MAX), json!(i64::MIN)] {
        add(integers().map(|property| (property, value.clone())).collect(), BEYOND_TOGETHER);
    }
    let numbers = properties.iter().filter(|property| property.schema["type"] == "number");
    add(numbers.flat_map(|property| [f64::MAX, f64::MIN].map(|value| (property, json!(value)))).collect(), 1);
    let open = properties.iter().filter(|property| property.is_open());
    let list = (0..LEVELS).fold(json!(1), |inner, _| json!([inner]));
    let map = (0..LEVELS).fold(json!(1), |inner, _| json!({"a": inner}));
    add(open.flat_map(|property| [&list, &map].map(|deep| (property, json!({"a": deep})))).collect(), 1);
    batches
}

fn lowest(schema: &Value) -> Value {
    schema.get("minimum").map_or(json!(i32::MIN), whole)
}

fn highest(schema: &Value) -> Value {
    schema.get("maximum").map_or(json!(i32::MAX), whole)
}

/// Bounds are written as floating-point numbers, which the largest whole ones lose digits in.
fn whole(bound: &Value) -> Value {
    match bound.as_f64() {
        _ if bound.is_i64() => bound.clone(),
        Some(bound) => json!(bound as i64),
        None => json!(0),
    }
}
