//! Who may do what.

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// Everybody may do everything.
    None,
    /// Kafka's ACLs.
    Simple {
        /// Principals without `User:`.
        super_users: Vec<String>,
    },
    /// An authorizer of the user's own.
    Custom {
        /// Its class.
        class: String,
        /// Principals without `User:`.
        super_users: Vec<String>,
        /// Whether ACLs can be managed through Kafka.
        supports_admin_api: bool,
    },
}
