//! Stories on the local Kubernetes, with real pods, real Kafka and a real client. They are one program, so that two of them always run
//! side by side, in the order of their names. `takeover` starts six clusters and comes last: beside `older_manifests` they kept each other
//! from starting.

mod connect;
mod day_two;
mod faults;
mod image_builds;
mod listeners;
mod metrics;
mod mirror;
mod older_manifests;
mod quickstart;
mod takeover;
