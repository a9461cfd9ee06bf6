//! The allocator of every operator.
//!
//! A pass makes and drops tens of thousands of small values. The allocator of the C library takes a third of its time for
//! them, and what many passes at a time once took stays resident, in pieces between what lives on.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;
