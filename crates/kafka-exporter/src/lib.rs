//! Shows Prometheus what Kafka says of topics, partitions and consumer groups.
//!
//! From the top floor down: `exporter` (collects in the background and publishes), `collect` (what Kafka is asked, and in
//! which order), `reduce` (what is kept of the answers), `lag` and `timeline` (lag in records and in seconds, pure), `render`
//! (a snapshot as text, pure), `snapshot` (what one collection found), `settings`, `certificates`.

mod certificates;
mod collect;
mod exporter;
mod lag;
mod reduce;
mod render;
pub mod settings;
mod snapshot;
mod timeline;

pub use exporter::run;
pub use settings::Settings;
