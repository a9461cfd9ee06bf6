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
    /// Canaries and clusters whose turn comes before, or an approval before.
    Turn,
}

impl OperatorRolls {
    /// The words for them.
    pub const WORDS: [&str; 4] = ["false", "approval", "window", "turn"];

    /// What a word asks for; `None`: it is none of [`OperatorRolls::WORDS`].
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "" | "false" | "off" => Some(Self::AtOnce),
            "approval" => Some(Self::Approval),
            "window" => Some(Self::Window),
            "turn" => Some(Self::Turn),
            _ => None,
        }
    }
}
