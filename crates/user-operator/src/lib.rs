//! Keeps Kafka users, ACLs and quotas as KafkaUser resources say.
//!
//! From the top floor down: [`controller`] (which event leads to a look at which user), [`apply`] (carries plans out, many users
//! at once), [`observe`] (gathers what is known of one user), [`plan`], [`rights`] and [`ownership`] (what has to be done, pure), [`kafka`] (the snapshot of
//! Kafka's side), [`user_secrets`] and [`secret`] (what is kept of users' Secrets), [`passwords`] (those that users refer to),
//! [`authority`] (the clients CA out of its Secrets), [`settings`].

pub mod apply;
pub mod authority;
pub mod controller;
pub mod credentials;
pub mod kafka;
pub mod observe;
pub mod ownership;
pub mod passwords;
pub mod plan;
pub mod rights;
pub mod secret;
pub mod settings;
pub mod status;
pub mod user;
pub mod user_secrets;

pub use controller::Operator;
pub use settings::Settings;
