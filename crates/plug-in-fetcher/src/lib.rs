//! What the program `plug-in-fetcher` is made of: downloads, archives, Maven.

pub mod archive;
mod coordinate;
mod error;
pub mod fetch;
pub mod maven;
mod pom;

pub use error::Error;
