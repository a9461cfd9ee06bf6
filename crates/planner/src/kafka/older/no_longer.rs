//! What resources of older versions ask for and no operator carries out any more: what to write instead.

use std::collections::BTreeMap;

use api::conditions::reasons;
use api::kafka::AuthorizationType;

use crate::findings::Findings;

/// Options that Kafka does not know without ZooKeeper: what stands in their place, and the reason of the warning.
const OPTIONS: [(&str, &str, &str); 2] = [
    (
        "inter.broker.protocol.version",
        "spec.kafka.metadataVersion says what it said",
        reasons::KAFKA_INTER_BROKER_PROTOCOL_VERSION_IN_KRAFT,
    ),
    (
        "log.message.format.version",
        "brokers write the newest format",
        reasons::KAFKA_LOG_MESSAGE_FORMAT_VERSION_IN_KRAFT,
    ),
];

/// Takes options out that Kafka does not know any more. `field` is the path of their section.
pub fn take_options_out(options: &mut BTreeMap<String, String>, field: &str, findings: &mut Findings) {
    for (name, instead, reason) in OPTIONS {
        if options.remove(name).is_some() {
            findings.warn(reason, format!("{field}.{name} means nothing any more: {instead}; remove it"));
        }
    }
}

/// A listener with `oauth`.
pub const OAUTH_LISTENER: &str = "\"oauth\" is no type of its own any more: write type: custom with sasl: true and, in \
    listenerConfig, sasl.enabled.mechanisms: OAUTHBEARER, oauthbearer.sasl.server.callback.handler.class: \
    io.strimzi.kafka.oauth.server.JaasServerOauthValidatorCallbackHandler and the former options in oauthbearer.sasl.jaas.config; \
    the image needs the classes of strimzi-kafka-oauth";

/// A listener with `secrets`.
pub const CUSTOM_SECRETS: &str = "is no way to mount Secrets any more: remove it, name the Secrets as volumes in \
    spec.kafka.template.pod.volumes and mount them below /mnt with spec.kafka.template.kafkaContainer.volumeMounts";

/// An authorizer that had a type of its own.
pub fn authorization(type_: AuthorizationType) -> String {
    let (class, options) = if type_ == AuthorizationType::Opa {
        ("org.openpolicyagent.kafka.OpaAuthorizer", "opa.authorizer.url and the other opa.authorizer options")
    } else {
        (
            "io.strimzi.kafka.oauth.server.authorizer.KeycloakAuthorizer",
            "the strimzi.authorization options and principal.builder.class: \
             io.strimzi.kafka.oauth.server.OAuthKafkaPrincipalBuilder",
        )
    };
    format!(
        "{:?} is no type of its own any more: write type: custom with authorizerClass: {class}, and in spec.kafka.config {options}; \
         the image needs the class",
        type_.as_str()
    )
}
