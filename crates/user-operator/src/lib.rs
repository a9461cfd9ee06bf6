//! Keeps Kafka users, ACLs and quotas as KafkaUser resources say.
//!
//! From the top floor down: `controller` (which event leads to a look at which user), `apply` (carries plans out, many users
//! at once), `plan`, `rights` and `ownership` (what has to be done, pure), `observe` (gathers what is known of one user),
//! `snapshot` (Kafka's side), `secret_store` (the users' Secrets as they are), `secret_view` (what is kept of one) and
//! `secret_content` (what goes into one), `certificate_view` (what is kept of a Certificate of cert-manager), `issuance`
//! (certificates that an issuer of cert-manager signs), `secret_step` (what happens to a Secret), `referenced_passwords` (those that
//! users refer to), `authority` (the clients CA out of its Secrets), `user` (what a resource says in short), `settings`.

mod apply;
mod authority;
mod certificate_view;
mod controller;
mod issuance;
mod observe;
mod ownership;
mod plan;
mod referenced_passwords;
mod rights;
mod secret_content;
mod secret_step;
mod secret_store;
mod secret_view;
pub mod settings;
pub mod snapshot;
mod status;
mod user;

pub use controller::start;
pub use settings::Settings;
