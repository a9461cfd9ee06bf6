//! Values for properties: from the schema where it says enough, else from a table.

use serde_json::{Value, json};

/// Values of properties of which the schema does not say enough: the end of the path, and two values that mean different
/// things. The first entry that fits counts.
const SPECIAL: &[(&str, &str)] = &[
    // Objects with properties of any name.
    ("spec.kafka.config", r#"[{"num.io.threads": 9}, {"my.plugin": "x"}]"#),
    ("authentication.listenerConfig", r#"[{"a.b": "c"}, {"a.b": "d"}]"#),
    ("remoteStorageManager.config", r#"[{"a.b": "c"}, {"a.b": "d"}]"#),
    ("logging.loggers", r#"[{"rootLogger.level": "DEBUG"}, {"kafka.log.LogCleaner": "TRACE"}]"#),
    (".resources.limits", r#"[{"cpu": "3", "memory": "3Gi"}, {"cpu": "4"}]"#),
    (".resources.requests", r#"[{"cpu": "3", "memory": "3Gi"}, {"cpu": "4"}]"#),
    (".selector", r#"[{"disk": "fast"}, {"disk": "slow"}]"#),
    // Names with a form.
    ("spec.kafka.version", r#"["4.2.1", "4.3.1"]"#),
    ("spec.kafka.metadataVersion", r#"["4.2", "4.3"]"#),
    ("authorization.authorizerClass", r#"["org.example.A", "org.example.B"]"#),
    ("authorization.superUsers", r#"[["CN=a"], ["CN=b"]]"#),
    ("metricsConfig.valueFrom.configMapKeyRef.name", r#"["rules", "more-rules"]"#),
    ("metricsConfig.valueFrom.configMapKeyRef.key", r#"["a", "b"]"#),
    ("remoteStorageManager.className", r#"["org.example.A", "org.example.B"]"#),
    ("remoteStorageManager.classPath", r#"["/mnt/kafka-libs/*", "/mnt/other/*"]"#),
    ("quotas.excludedPrincipals", r#"[["User:a"], ["User:b"]]"#),
    ("spec.maintenanceTimeWindows", r#"[["* * 0-1 * * ?"], ["* * * * * ?"]]"#),
    ("watchedNamespace", r#"["s1", "other"]"#),
    ("kafkaExporter.logging", r#"["debug", "trace"]"#),
    (".advertisedHostTemplate", r#"["b{nodeId}.example.org", "c{nodeId}.example.org"]"#),
    (".advertisedPortTemplate", r#"["2000 + {nodeId}", "3000 + {nodeId}"]"#),
    (".hostTemplate", r#"["b{nodeId}.example.org", "c{nodeId}.example.org"]"#),
    (".advertisedHost", r#"["b.example.org", "192.0.2.1"]"#),
    (".podDisruptionBudget.maxUnavailable", "[0, 7]"),
    (".host", r#"["b.example.org", "c.example.org"]"#),
    (".alternativeNames", r#"[["b.example.org"], ["c.example.org"]]"#),
    (".externalIPs", r#"[["192.0.2.1"], ["192.0.2.2"]]"#),
    (".loadBalancerIP", r#"["192.0.2.1", "192.0.2.2"]"#),
    (".loadBalancerSourceRanges", r#"[["192.0.2.0/24"], ["198.51.100.0/24"]]"#),
    (".ipFamilies", r#"[["IPv4"], ["IPv6"]]"#),
    (".nodePort", "[32000, 32001]"),
    ("listeners[].port", "[9095, 9096]"),
    ("brokers[].broker", "[0, 1]"),
    (".cidr", r#"["192.0.2.0/24", "198.51.100.0/24"]"#),
    (".whenUnsatisfiable", r#"["DoNotSchedule", "ScheduleAnyway"]"#),
    (".mountPath", r#"["/mnt/a", "/mnt/b"]"#),
    (".volumeMounts[].name", r#"["extra", "more"]"#),
    (".operator", r#"["Exists", "DoesNotExist"]"#),
    ("brokerCertChainAndKey.certificate", r#"["a.crt", "b.crt"]"#),
    ("brokerCertChainAndKey.key", r#"["a.key", "a.crt"]"#),
    ("brokerCertChainAndKey.secretName", r#"["mine", "other"]"#),
    ("rack.envVarName", r#"["RACK", "ZONE"]"#),
    ("spec.roles", r#"[["controller", "broker"], ["broker"]]"#),
    ("spec.replicas", "[3, 5]"),
    (".storage.size", r#"["100Gi", "200Gi"]"#),
    (".volumes[].size", r#"["100Gi", "200Gi"]"#),
    (".storage.volumes[].id", "[0, 7]"),
    (".env[].name", r#"["MY_VARIABLE", "MY_OTHER"]"#),
    (".volumes[].name", r#"["extra", "another"]"#),
    (".templatedVolumes[].name", r#"["extra", "another"]"#),
    (".clusterCa.validityDays", "[400, 500]"),
    (".clientsCa.validityDays", "[400, 500]"),
    (".clusterCa.renewalDays", "[31, 60]"),
    (".clientsCa.renewalDays", "[31, 60]"),
];

/// Values of strings that follow a pattern.
const PATTERNS: &[(&str, [&str; 2])] = &[
    ("^[0-9]+[mMgG]?$", ["300m", "400m"]),
    ("^([0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$", ["10Mi", "20Mi"]),
    ("^[a-z0-9]{1,11}$", ["first", "second"]),
];

/// Values that a property can have and that mean different things.
pub(crate) fn of(schema: &Value, path: &str) -> Vec<Value> {
    if let Some((_, values)) = SPECIAL.iter().find(|(end, _)| path.ends_with(end)) {
        return serde_json::from_str(values).unwrap();
    }
    if let Some(all) = schema["enum"].as_array() {
        return all.clone();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return vec![json!("1"), json!("2")];
    }
    match schema["type"].as_str() {
        Some("boolean") => vec![json!(true), json!(false)],
        Some("integer") => {
            let least = schema["minimum"].as_f64().unwrap_or(0.0).max(0.0) as i64;
            vec![json!(least + 7), json!(least + 8)]
        }
        Some("number") => vec![json!(0.5), json!(0.25)],
        Some("string") => match schema["pattern"].as_str() {
            Some(pattern) => {
                let known = PATTERNS.iter().find(|(known, _)| *known == pattern);
                known.unwrap_or_else(|| panic!("{path}: no values for {pattern}")).1.map(Value::from).to_vec()
            }
            None => vec![json!("some-value"), json!("other-value")],
        },
        Some("array") => {
            let items = of(&schema["items"], "");
            items.into_iter().map(|item| json!([item])).collect()
        }
        Some("object") if schema["additionalProperties"].is_object() => {
            let values = of(&schema["additionalProperties"], "");
            values.into_iter().map(|value| json!({"some-key": value})).collect()
        }
        Some("object") => vec![json!({})],
        other => panic!("{path}: no values of type {other:?}"),
    }
}
