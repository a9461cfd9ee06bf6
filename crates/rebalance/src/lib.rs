//! Where replicas go: moves between brokers and the throttles they run under.
//!
//! Pure: no network, no clock, no chance. The topic operator changes replication factors with it; whatever moves replicas
//! (scaling down, removing a volume, rebalancing) decides here and carries out elsewhere.

mod evacuation;
mod model;
mod moves;
pub mod throttle;

pub use evacuation::{Evacuation, Load};
pub use model::{Broker, PartitionState};
pub use moves::{Move, TooFewBrokers, moves};
pub use throttle::{Throttles, throttles};
