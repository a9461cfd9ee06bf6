//! The custom resource definitions, made out of the types.
