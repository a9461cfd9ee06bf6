//! Distinguished names of the certificates that the parts of a cluster show each other, and the Kafka
//! principals made of them.

/// Organization in the subject of every internal certificate.
pub const ORGANIZATION: &str = "io.strimzi";
/// How the principals of users begin.
pub const USER: &str = "User:";
/// How the user name begins that a certificate gives a client.
pub const COMMON_NAME: &str = "CN=";
/// Principal of a client that shows no certificate.
pub const ANONYMOUS: &str = "User:ANONYMOUS";

/// Common name of the Kafka nodes.
pub fn kafka_common_name(c: &str) -> String {
    crate::names::kafka(c)
}

/// Common name of the cluster operator.
pub const CLUSTER_OPERATOR_COMMON_NAME: &str = "cluster-operator";

/// Beginning of the common name of the cluster CA; the number of its key follows: `cluster-ca v0`.
pub const CLUSTER_CA: &str = "cluster-ca";

/// Beginning of the common name of the clients CA; the number of its key follows: `clients-ca v0`.
pub const CLIENTS_CA: &str = "clients-ca";

/// Kafka principal of an internal certificate: `User:CN=<common name>,O=io.strimzi`.
pub fn internal(common_name: &str) -> String {
    of_user(&format!("{},O={ORGANIZATION}", by_certificate(common_name)))
}

/// Name in Kafka of the user of a KafkaUser that shows a certificate: `CN=<name>`.
pub fn by_certificate(name: &str) -> String {
    format!("{COMMON_NAME}{name}")
}

/// Principal of a user: `User:<name in Kafka>`.
pub fn of_user(username: &str) -> String {
    format!("{USER}{username}")
}

/// Name in Kafka of the user with a principal; `None`: it is no user's.
pub fn username(principal: &str) -> Option<&str> {
    principal.strip_prefix(USER)
}

/// The principals that every cluster's `super.users` starts with, in this order.
pub fn super_users(c: &str) -> Vec<String> {
    vec![
        internal(&kafka_common_name(c)),
        internal(&crate::names::entity_operator::topic_operator(c)),
        internal(&crate::names::entity_operator::user_operator(c)),
        internal(&crate::names::kafka_exporter::deployment(c)),
        internal(&crate::names::cruise_control::deployment(c)),
        internal(CLUSTER_OPERATOR_COMMON_NAME),
    ]
}

/// The principals that no limit of the quotas plug-in holds for.
pub fn without_limits(c: &str) -> Vec<String> {
    vec![internal(&kafka_common_name(c)), internal(&crate::names::cruise_control::deployment(c))]
}

#[cfg(test)]
mod tests {
    #[test]
    fn super_users_are_the_internal_identities() {
        let users = super::super_users("my").join(";");
        assert_eq!(
            users,
            "User:CN=my-kafka,O=io.strimzi;User:CN=my-entity-topic-operator,O=io.strimzi;\
             User:CN=my-entity-user-operator,O=io.strimzi;User:CN=my-kafka-exporter,O=io.strimzi;\
             User:CN=my-cruise-control,O=io.strimzi;User:CN=cluster-operator,O=io.strimzi"
        );
    }
}
