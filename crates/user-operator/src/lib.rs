//! Keeps Kafka users, ACLs and quotas as KafkaUser resources say.
//!
//! From the top floor down: [`controller`] (which event leads to a look at which user), [`apply`] (carries plans out, many users
//! at once), [`plan`] (what has to be done, pure), [`kafka`] (the snapshot of Kafka's side), [`secret`] (what is kept of a
//! user's Secret), [`authority`] (the clients CA out of its Secrets), [`settings`].

pub mod apply;
pub mod authority;
pub mod controller;
pub mod credentials;
pub mod kafka;
pub mod plan;
pub mod secret;
pub mod settings;
pub mod status;

pub use controller::Operator;
pub use settings::Settings;
