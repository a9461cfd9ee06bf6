//! A typed asynchronous client of Kafka Connect's REST API. It knows nothing of Kubernetes.
//!
//! [`Connect`] is the client: one request for each function, without retries and without polling, each with a deadline, a bound for
//! the length of its answer and a bound for the requests under way. [`model`] has the answers, [`ConnectError`] tells apart what
//! callers treat apart: nobody answers, a worker that rebalances, a connector that is not there, options that Connect refuses.
//!
//! Whoever may configure a worker decides what it answers: redirects are not followed, answers are bounded, and texts of errors are cut.

mod calls;
mod error;
pub mod model;
mod percent;
mod room;
mod transport;

pub use calls::{Connect, Listing, NewConnector, Restart, TargetState};
pub use error::ConnectError;
pub use room::AnswerRoom;
pub use transport::ConnectConfig;
