//! KafkaMirrorMaker, that is MirrorMaker 1, which Kafka has no more: each resource becomes a KafkaMirrorMaker2 of the same name, which the
//! operator makes and keeps as the older resource says, and whose status it hands back.
//!
//! [`translate`] says what the one means as the other, [`plan`] when it takes the place of what Strimzi ran for it.

pub mod observed;
pub mod plan;
pub mod translate;
pub mod view;
