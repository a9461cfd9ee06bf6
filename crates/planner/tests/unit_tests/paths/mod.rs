//! What the tests of properties share.

#![allow(dead_code, reason = "every test file uses its own part")]

pub mod contexts;
pub mod table;
pub mod trial;
pub mod values;
