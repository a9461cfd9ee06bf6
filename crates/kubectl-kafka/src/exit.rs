//! Exit codes, the same for every subcommand.

/// Done, and nothing was found.
pub const DONE: u8 = 0;
/// It could not be done.
pub const FAILED: u8 = 1;
/// Done, and something was found that a person should look at.
pub const FOUND: u8 = 2;
/// The command line is wrong.
pub const USAGE: u8 = 64;
