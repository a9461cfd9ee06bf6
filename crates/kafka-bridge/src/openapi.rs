//! The description of the API, which is served.

/// OpenAPI 3.1, as JSON.
pub(crate) const TEXT: &str = include_str!("openapi.json");
