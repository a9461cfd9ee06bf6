//! The properties that the custom resources have beyond the compatibility contract.
//!
//! Every one is optional and has no default in the schema, so that a manifest without it means what it means to Strimzi. The
//! contract test allows exactly these paths, and `docs/extensions.md` lists them with the words of this table.

/// A property beyond the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Kind of the resource.
    pub kind: &'static str,
    /// Path of the property; `a[]` is an item of the list `a`, `a.*` a value of the map `a`.
    pub path: &'static str,
    /// Type in the schema: `string`, `integer`, `number`, `boolean`, `object`, `array`, or `int-or-string`; with `+free` where
    /// unknown properties are kept.
    pub type_: &'static str,
    /// What holds without the property, in words.
    pub default: &'static str,
    /// What the property is for, in words.
    pub purpose: &'static str,
}

/// All of them, by kind and path. A property inside of another one is an entry of its own.
pub const EXTENSIONS: &[Extension] = &[
    Extension {
        kind: "Kafka",
        path: "spec.clientsCa.certManager",
        type_: "object",
        default: "there is none",
        purpose: "issuer of cert-manager that signs the certificates of users, where the type is `cert-manager.io`",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clientsCa.certManager.caCert",
        type_: "object",
        default: "required",
        purpose: "the CA certificates to trust: that of the issuer, or one above it",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clientsCa.certManager.caCert.certificate",
        type_: "string",
        default: "required",
        purpose: "key in the Secret: one certificate or several, PEM",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clientsCa.certManager.caCert.secretName",
        type_: "string",
        default: "required",
        purpose: "name of the Secret",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clientsCa.certManager.issuerRef",
        type_: "object",
        default: "required",
        purpose: "the issuer",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clientsCa.certManager.issuerRef.group",
        type_: "string",
        default: "`cert-manager.io`",
        purpose: "API group of the issuer",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clientsCa.certManager.issuerRef.kind",
        type_: "string",
        default: "`Issuer`",
        purpose: "kind of the issuer",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clientsCa.certManager.issuerRef.name",
        type_: "string",
        default: "required",
        purpose: "name of the issuer",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clientsCa.type",
        type_: "string",
        default: "`strimzi.io`: the operators sign them with the key of the authority",
        purpose: "who signs the certificates of users: `strimzi.io` or `cert-manager.io`",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clusterCa.certManager",
        type_: "object",
        default: "there is none",
        purpose: "issuer of cert-manager that signs the certificates of nodes and operators, where the type is `cert-manager.io`",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clusterCa.certManager.caCert",
        type_: "object",
        default: "required",
        purpose: "the CA certificates to trust: that of the issuer, or one above it",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clusterCa.certManager.caCert.certificate",
        type_: "string",
        default: "required",
        purpose: "key in the Secret: one certificate or several, PEM",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clusterCa.certManager.caCert.secretName",
        type_: "string",
        default: "required",
        purpose: "name of the Secret",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clusterCa.certManager.issuerRef",
        type_: "object",
        default: "required",
        purpose: "the issuer",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clusterCa.certManager.issuerRef.group",
        type_: "string",
        default: "`cert-manager.io`",
        purpose: "API group of the issuer",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clusterCa.certManager.issuerRef.kind",
        type_: "string",
        default: "`Issuer`",
        purpose: "kind of the issuer",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clusterCa.certManager.issuerRef.name",
        type_: "string",
        default: "required",
        purpose: "name of the issuer",
    },
    Extension {
        kind: "Kafka",
        path: "spec.clusterCa.type",
        type_: "string",
        default: "`strimzi.io`: the operators sign them with the key of the authority",
        purpose: "who signs the certificates of nodes and operators: `strimzi.io` or `cert-manager.io`",
    },
    Extension {
        kind: "Kafka",
        path: "spec.kafka.listeners[].configuration.singleAddress",
        type_: "object",
        default: "each broker has a Service, and an address, of its own",
        purpose: "one Service for all brokers of a listener of type `loadbalancer`, `nodeport` or `cluster-ip`, with a port for each, through a proxy of the operator's",
    },
    Extension {
        kind: "Kafka",
        path: "spec.kafka.listeners[].configuration.singleAddress.bootstrapPort",
        type_: "integer",
        default: "the port of the listener",
        purpose: "port with which clients begin, from 1024",
    },
    Extension {
        kind: "Kafka",
        path: "spec.kafka.listeners[].configuration.singleAddress.firstBrokerPort",
        type_: "integer",
        default: "20000",
        purpose: "port of the broker with the node id 0; every other has this plus its id",
    },
    Extension {
        kind: "Kafka",
        path: "spec.kafka.listeners[].configuration.singleAddress.replicas",
        type_: "integer",
        default: "2",
        purpose: "pods of the proxy",
    },
    Extension {
        kind: "Kafka",
        path: "spec.kafka.listeners[].configuration.singleAddress.resources",
        type_: "object",
        default: "a little CPU and memory is asked for, 512 MiB is the limit",
        purpose: "CPU and memory of the proxy's container",
    },
    Extension {
        kind: "Kafka",
        path: "spec.kafka.listeners[].configuration.singleAddress.resources.claims",
        type_: "array",
        default: "none",
        purpose: "devices, as in every container",
    },
    Extension {
        kind: "Kafka",
        path: "spec.kafka.listeners[].configuration.singleAddress.resources.claims[].name",
        type_: "string",
        default: "none",
        purpose: "name of the device's claim",
    },
    Extension {
        kind: "Kafka",
        path: "spec.kafka.listeners[].configuration.singleAddress.resources.claims[].request",
        type_: "string",
        default: "all of the claim",
        purpose: "which part of the claim",
    },
    Extension {
        kind: "Kafka",
        path: "spec.kafka.listeners[].configuration.singleAddress.resources.limits",
        type_: "object",
        default: "none",
        purpose: "most that it may take",
    },
    Extension {
        kind: "Kafka",
        path: "spec.kafka.listeners[].configuration.singleAddress.resources.requests",
        type_: "object",
        default: "cpu `50m`, memory `96Mi`",
        purpose: "what is set aside for it",
    },
    Extension {
        kind: "Kafka",
        path: "spec.kafka.maxParallelRestarts",
        type_: "integer",
        default: "1: pods restart one by one",
        purpose: "how many brokers of one rack may restart at the same time, where every partition keeps what it needs",
    },
    Extension {
        kind: "Kafka",
        path: "spec.kafka.nodeConfig",
        type_: "object",
        default: "every node has the options of `spec.kafka.config`",
        purpose: "options of single nodes by node id, range (`3-5`) or list (`0, 3-5`)",
    },
    Extension {
        kind: "Kafka",
        path: "spec.objectOverrides",
        type_: "object",
        default: "objects are as the operator and the templates make them",
        purpose: "patches over generated objects by kind and name, where the installation allows them",
    },
    Extension {
        kind: "Kafka",
        path: "status.features",
        type_: "array",
        default: "Kafka has not answered yet",
        purpose: "levels of Kafka's features besides the metadata version",
    },
    Extension {
        kind: "Kafka",
        path: "status.features[].level",
        type_: "integer",
        default: "there always is one",
        purpose: "level in force; 0: the feature is off",
    },
    Extension {
        kind: "Kafka",
        path: "status.features[].name",
        type_: "string",
        default: "there always is one",
        purpose: "which feature",
    },
    Extension {
        kind: "Kafka",
        path: "status.features[].supportedLevel",
        type_: "integer",
        default: "it is not known",
        purpose: "highest level that every node supports",
    },
    Extension {
        kind: "KafkaMirrorMaker2",
        path: "status.mirrors",
        type_: "array",
        default: "the operator asks no source",
        purpose: "how far each mirror is, where the installation has the operator ask for it",
    },
    Extension {
        kind: "KafkaMirrorMaker2",
        path: "status.mirrors[].lag",
        type_: "integer",
        default: "it is not known",
        purpose: "records of the source that are not mirrored yet, about",
    },
    Extension {
        kind: "KafkaMirrorMaker2",
        path: "status.mirrors[].lastCheckpoint",
        type_: "string",
        default: "there was none, or it is not known",
        purpose: "when the offsets of a group were mirrored last",
    },
    Extension {
        kind: "KafkaMirrorMaker2",
        path: "status.mirrors[].sourceAlias",
        type_: "string",
        default: "there always is one",
        purpose: "which mirror",
    },
];

/// Those of a kind.
pub fn of_kind(kind: &str) -> impl Iterator<Item = &'static Extension> {
    EXTENSIONS.iter().filter(move |extension| extension.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::listeners::SingleAddress;

    #[test]
    fn the_default_resources_of_a_proxy_are_those_that_it_gets() {
        let path = "spec.kafka.listeners[].configuration.singleAddress.resources.requests";
        let told =
            EXTENSIONS.iter().find(|extension| extension.path == path).map(|extension| extension.default);
        let expected = format!("cpu `{}`, memory `{}`", SingleAddress::CPU, SingleAddress::MEMORY);
        assert_eq!(told, Some(expected.as_str()));
    }
}
