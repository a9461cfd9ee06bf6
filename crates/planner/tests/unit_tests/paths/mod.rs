//! What the tests of properties share.

pub(crate) mod contexts;
pub(crate) mod table;
pub(crate) mod trial;
pub(crate) mod values;
