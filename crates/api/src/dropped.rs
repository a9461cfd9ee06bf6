//! What `v1` dropped: it is kept, so that nothing of a resource is lost. Most of it is without effect; what an older resource says there
//! and a pass still carries out is in [`CARRIED_OUT`].

/// Properties of one object of a kind's schema.
#[derive(Clone, Copy, Debug)]
pub struct Dropped {
    /// The kind.
    pub kind: &'static str,
    /// The object, for instance `spec.kafka.listeners[].authentication`.
    pub parent: &'static str,
    /// Names and shapes.
    pub properties: &'static [(&'static str, Shape)],
}

/// What a dropped property holds. The inside of objects is not described: nobody reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// Text of this pattern.
    Pattern(&'static str),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// True or false.
    Switch,
    /// A number.
    Number,
    /// A number of at least this.
    AtLeast(i64),
    /// A number from 0 to 100.
    Percent,
    /// An object.
    Object,
    /// A list of objects.
    Objects,
    /// A list of texts.
    Texts,
    /// A list of numbers.
    Numbers,
}

use Shape::{AtLeast, Number, Numbers, Object, Objects, OneOf, Pattern, Percent, Switch, Text, Texts};

/// OAuth 2.0 of a client.
const OAUTH_CLIENT: &[(&str, Shape)] = &[
    ("accessToken", Object),
    ("accessTokenIsJwt", Switch),
    ("accessTokenLocation", Text),
    ("audience", Text),
    ("clientAssertion", Object),
    ("clientAssertionLocation", Text),
    ("clientAssertionType", Text),
    ("clientId", Text),
    ("clientSecret", Object),
    ("connectTimeoutSeconds", Number),
    ("disableTlsHostnameVerification", Switch),
    ("enableMetrics", Switch),
    ("grantType", Text),
    ("httpRetries", Number),
    ("httpRetryPauseMs", Number),
    ("includeAcceptHeader", Switch),
    ("maxTokenExpirySeconds", Number),
    ("readTimeoutSeconds", Number),
    ("refreshToken", Object),
    ("saslExtensions", Object),
    ("scope", Text),
    ("tlsTrustedCertificates", Objects),
    ("tokenEndpointUri", Text),
];

/// OAuth 2.0 of a listener.
const OAUTH_LISTENER: &[(&str, Shape)] = &[
    ("accessTokenIsJwt", Switch),
    ("checkAccessTokenType", Switch),
    ("checkAudience", Switch),
    ("checkIssuer", Switch),
    ("clientAudience", Text),
    ("clientGrantType", Text),
    ("clientId", Text),
    ("clientScope", Text),
    ("clientSecret", Object),
    ("connectTimeoutSeconds", Number),
    ("customClaimCheck", Text),
    ("disableTlsHostnameVerification", Switch),
    ("enableECDSA", Switch),
    ("enableMetrics", Switch),
    ("enableOauthBearer", Switch),
    ("enablePlain", Switch),
    ("failFast", Switch),
    ("fallbackUserNameClaim", Text),
    ("fallbackUserNamePrefix", Text),
    ("groupsClaim", Text),
    ("groupsClaimDelimiter", Text),
    ("httpRetries", Number),
    ("httpRetryPauseMs", Number),
    ("includeAcceptHeader", Switch),
    ("introspectionEndpointUri", Text),
    ("jwksEndpointUri", Text),
    ("jwksExpirySeconds", AtLeast(1)),
    ("jwksIgnoreKeyUse", Switch),
    ("jwksMinRefreshPauseSeconds", AtLeast(0)),
    ("jwksRefreshSeconds", AtLeast(1)),
    ("maxSecondsWithoutReauthentication", Number),
    ("readTimeoutSeconds", Number),
    ("serverBearerTokenLocation", Text),
    ("tlsTrustedCertificates", Objects),
    ("tokenEndpointUri", Text),
    ("userInfoEndpointUri", Text),
    ("userNameClaim", Text),
    ("userNamePrefix", Text),
    ("validIssuerUri", Text),
    ("validTokenType", Text),
];

/// Open Policy Agent and Keycloak.
const AUTHORIZATION: &[(&str, Shape)] = &[
    ("allowOnError", Switch),
    ("clientId", Text),
    ("connectTimeoutSeconds", AtLeast(1)),
    ("delegateToKafkaAcls", Switch),
    ("disableTlsHostnameVerification", Switch),
    ("enableMetrics", Switch),
    ("expireAfterMs", Number),
    ("grantsAlwaysLatest", Switch),
    ("grantsGcPeriodSeconds", AtLeast(1)),
    ("grantsMaxIdleTimeSeconds", AtLeast(1)),
    ("grantsRefreshPeriodSeconds", AtLeast(0)),
    ("grantsRefreshPoolSize", AtLeast(1)),
    ("httpRetries", AtLeast(0)),
    ("includeAcceptHeader", Switch),
    ("initialCacheCapacity", Number),
    ("maximumCacheSize", Number),
    ("readTimeoutSeconds", AtLeast(1)),
    ("tlsTrustedCertificates", Objects),
    ("tokenEndpointUri", Text),
    ("url", Text),
];

const fn of(
    kind: &'static str,
    parent: &'static str,
    properties: &'static [(&'static str, Shape)],
) -> Dropped {
    Dropped { kind, parent, properties }
}

/// Everything that is kept and not read.
pub const DROPPED: &[Dropped] = &[
    of("Kafka", "spec", &[("jmxTrans", Object)]),
    of("Kafka", "spec.cruiseControl", &[("tlsSidecar", Object)]),
    of("Kafka", "spec.cruiseControl.template", &[("tlsSidecarContainer", Object)]),
    of(
        "Kafka",
        "spec.cruiseControl.brokerCapacity",
        &[("cpuUtilization", Percent), ("disk", Pattern("^[0-9]+([.][0-9]*)?([KMGTPE]i?|e[0-9]+)?$"))],
    ),
    of("Kafka", "spec.entityOperator", &[("tlsSidecar", Object)]),
    of("Kafka", "spec.entityOperator.template", &[("tlsSidecarContainer", Object)]),
    of(
        "Kafka",
        "spec.entityOperator.topicOperator",
        &[("topicMetadataMaxAttempts", AtLeast(0)), ("zookeeperSessionTimeoutSeconds", AtLeast(0))],
    ),
    of("Kafka", "spec.entityOperator.userOperator", &[("zookeeperSessionTimeoutSeconds", AtLeast(0))]),
    of("Kafka", "spec.kafka.authorization", AUTHORIZATION),
    of("Kafka", "spec.kafka.listeners[].authentication", OAUTH_LISTENER),
    of("Kafka", "spec.kafka.template", &[("statefulset", Object)]),
    of("Kafka", "spec.kafkaExporter.template", &[("service", Object)]),
    of(
        "Kafka",
        "spec.zookeeper",
        &[
            ("config", Object),
            ("image", Text),
            ("jmxOptions", Object),
            ("livenessProbe", Object),
            ("logging", Object),
            ("metricsConfig", Object),
            ("readinessProbe", Object),
        ],
    ),
    of(
        "Kafka",
        "spec.zookeeper.template",
        &[
            ("clientService", Object),
            ("jmxSecret", Object),
            ("nodesService", Object),
            ("podDisruptionBudget", Object),
            ("serviceAccount", Object),
            ("statefulset", Object),
        ],
    ),
    of(
        "Kafka",
        "status",
        &[
            (
                "kafkaMetadataState",
                OneOf(&[
                    "ZooKeeper",
                    "KRaftMigration",
                    "KRaftDualWriting",
                    "KRaftPostMigration",
                    "PreKRaft",
                    "KRaft",
                ]),
            ),
            ("registeredNodeIds", Numbers),
        ],
    ),
    of("Kafka", "status.listeners[]", &[("type", Text)]),
    of("KafkaConnect", "spec", &[("externalConfiguration", Object)]),
    of("KafkaConnect", "spec.authentication", OAUTH_CLIENT),
    of("KafkaConnect", "spec.build.output", &[("additionalKanikoOptions", Texts)]),
    of("KafkaConnect", "spec.template", &[("deployment", Object)]),
    of("KafkaBridge", "spec", &[("enableMetrics", Switch)]),
    of("KafkaBridge", "spec.authentication", OAUTH_CLIENT),
    of(
        "KafkaMirrorMaker2",
        "spec",
        &[("clusters", Objects), ("connectCluster", Text), ("externalConfiguration", Object)],
    ),
    of("KafkaMirrorMaker2", "spec.template", &[("deployment", Object)]),
    of("KafkaMirrorMaker2", "spec.target.authentication", OAUTH_CLIENT),
    of(
        "KafkaMirrorMaker2",
        "spec.mirrors[]",
        &[
            ("groupsBlacklistPattern", Text),
            ("heartbeatConnector", Object),
            ("sourceCluster", Text),
            ("targetCluster", Text),
            ("topicsBlacklistPattern", Text),
        ],
    ),
    of("KafkaMirrorMaker2", "spec.mirrors[].checkpointConnector", &[("pause", Switch)]),
    of("KafkaMirrorMaker2", "spec.mirrors[].sourceConnector", &[("pause", Switch)]),
    of("KafkaMirrorMaker2", "spec.mirrors[].source.authentication", OAUTH_CLIENT),
    of("KafkaMirrorMaker", "spec.consumer.authentication", OAUTH_CLIENT),
    of("KafkaMirrorMaker", "spec.producer.authentication", OAUTH_CLIENT),
];

/// What of it is carried out as an older version said it: kind and path.
pub const CARRIED_OUT: &[(&str, &str)] = &[
    ("KafkaBridge", "spec.enableMetrics"),
    ("KafkaMirrorMaker2", "spec.clusters"),
    ("KafkaMirrorMaker2", "spec.connectCluster"),
    ("KafkaMirrorMaker2", "spec.mirrors[].checkpointConnector.pause"),
    ("KafkaMirrorMaker2", "spec.mirrors[].groupsBlacklistPattern"),
    ("KafkaMirrorMaker2", "spec.mirrors[].heartbeatConnector"),
    ("KafkaMirrorMaker2", "spec.mirrors[].sourceCluster"),
    ("KafkaMirrorMaker2", "spec.mirrors[].sourceConnector.pause"),
    ("KafkaMirrorMaker2", "spec.mirrors[].targetCluster"),
    ("KafkaMirrorMaker2", "spec.mirrors[].topicsBlacklistPattern"),
];

/// Whether such a property is carried out.
pub fn is_carried_out(kind: &str, path: &str) -> bool {
    CARRIED_OUT.contains(&(kind, path))
}

/// Paths of the properties that are kept and not read, for instance `spec.jmxTrans`.
pub fn unread(kind: &str) -> Vec<String> {
    let of_kind = DROPPED.iter().filter(|dropped| dropped.kind == kind);
    of_kind
        .flat_map(|dropped| dropped.properties.iter().map(|(name, _)| format!("{}.{name}", dropped.parent)))
        .collect()
}
