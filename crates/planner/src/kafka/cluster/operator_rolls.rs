//! When pods restart that a new version of the operator alone would restart.

/// What they wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OperatorRolls {
    /// Nothing.
    #[default]
    AtOnce,
    /// An approval of the plan.
    Approval,
    /// A maintenance window, or an approval before.
    Window,
}
