//! The custom resources and the names that are part of the compatibility contract.
