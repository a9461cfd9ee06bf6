//! `KafkaUser` of koperator.

use std::collections::{BTreeMap, BTreeSet};

use api::common::template::{MetadataTemplate, ResourceTemplate};
use api::kafka_user::{
    AclOperation, AclPatternType, AclResourceType, AclRule, AclRuleResource, KafkaUserAuthentication,
    KafkaUserAuthenticationType, KafkaUserAuthorization, KafkaUserAuthorizationType, KafkaUserTemplate,
};
use api::{Kafka, KafkaUser, KafkaUserSpec};
use serde_json::Value;

use super::topic::of_cluster;
use crate::convert::fields::Fields;
use crate::convert::metadata;
use crate::convert::notes::Notes;
use crate::convert::resources::Resource;

const SECONDS_OF_A_DAY: i64 = 24 * 60 * 60;

/// Converts a user. `clusters` holds the clusters that were converted before.
///
/// # Errors
/// When it has no name or names no cluster.
pub(crate) fn user(
    manifest: Value,
    clusters: &BTreeMap<String, Kafka>,
    notes: &mut Notes,
) -> Result<Vec<Resource>, String> {
    let Value::Object(values) = manifest else { return Err("the manifest is no object".to_owned()) };
    let mut manifest = Fields::new("", values);
    for known in ["apiVersion", "kind", "status"] {
        manifest.take(known);
    }
    let mut meta = metadata::take(&mut manifest, notes)?;
    let mut spec = manifest.object("spec", notes).ok_or("spec is missing: there is nothing to convert")?;
    manifest.rest(notes);
    let cluster = of_cluster(&mut meta, &mut spec, notes)?;
    let name = meta.name.clone().unwrap_or_default();
    secret(&mut spec, &name, notes);
    let authentication = authentication(&mut spec, notes);
    let annotations = spec.object("annotations", notes);
    let annotations = annotations
        .map(|fields| metadata::pairs(&fields, metadata::Kind::Annotations, notes))
        .unwrap_or_default();
    let rules = rules(&mut spec, notes);
    spec.rest(notes);
    let has_authorizer = clusters.get(&cluster).is_none_or(|kafka| kafka.spec.kafka.authorization.is_some());
    if !rules.is_empty() && !has_authorizer {
        notes.lost(
            "spec.topicGrants",
            &Value::Null,
            "the cluster has no authorization, so everybody may do everything, and the rights were left out: write \
             spec.kafka.authorization {type: simple} in the Kafka resource first",
        );
    }
    let authorization = KafkaUserAuthorization { type_: KafkaUserAuthorizationType::Simple, acls: rules };
    let metadata = MetadataTemplate { annotations: Some(annotations.clone()), ..MetadataTemplate::default() };
    let template = KafkaUserTemplate { secret: Some(ResourceTemplate { metadata: Some(metadata) }) };
    let spec = KafkaUserSpec {
        authentication: Some(authentication),
        authorization: Some(authorization).filter(|all| has_authorizer && !all.acls.is_empty()),
        quotas: None,
        template: Some(template).filter(|_| !annotations.is_empty()),
    };
    Ok(vec![Resource::User(Box::new(KafkaUser { metadata: meta, spec, status: None }))])
}

/// Where the certificate goes, and who makes it.
fn secret(spec: &mut Fields, name: &str, notes: &mut Notes) {
    let path = spec.at("secretName");
    let secret = spec.text("secretName", notes).filter(|secret| secret != name && !secret.is_empty());
    if let Some(secret) = secret {
        notes.changed(
            path,
            &Value::from(secret),
            format!("the Secret of a user has its name: {name}, with user.crt, user.key, user.p12 and user.password; change what mounts the former one"),
        );
    }
    spec.changed(
        "includeJKS",
        "the Secret holds a PKCS #12 store, user.p12 with user.password, which Java reads as well",
        notes,
    );
    spec.lost("dnsNames", "certificates of users have no names of hosts: have one made elsewhere and write authentication type tls-external", notes);
    spec.lost(
        "pkiBackendSpec",
        "the operator's clients authority makes the certificate; for a certificate made elsewhere write authentication type tls-external",
        notes,
    );
}

fn authentication(spec: &mut Fields, notes: &mut Notes) -> KafkaUserAuthentication {
    let path = spec.at("expirationSeconds");
    let seconds = spec.number("expirationSeconds", notes).filter(|seconds| *seconds > 0);
    if !spec.flag("createCert", notes).unwrap_or(true) {
        return KafkaUserAuthentication {
            type_: KafkaUserAuthenticationType::TlsExternal,
            password: None,
            validity_days: None,
            renewal_days: None,
        };
    }
    let days = seconds.and_then(|seconds| {
        // Two days at least, one of them for the renewal.
        let days = (seconds / SECONDS_OF_A_DAY).clamp(2, 36_500);
        if days * SECONDS_OF_A_DAY != seconds {
            notes.changed(
                path,
                &seconds.into(),
                format!("certificates are valid for whole days, two at least: {days} was written"),
            );
        }
        i32::try_from(days).ok()
    });
    KafkaUserAuthentication {
        type_: KafkaUserAuthenticationType::Tls,
        password: None,
        validity_days: days,
        // A third of the time, as koperator's certificates were renewed.
        renewal_days: days.map(|days| (days / 3).max(1)),
    }
}

/// Grants as rules: reading is with every group, writing with creation of the topic, as koperator wrote them.
fn rules(spec: &mut Fields, notes: &mut Notes) -> Vec<AclRule> {
    let mut topics: Vec<(String, AclPatternType, BTreeSet<AclOperation>)> = Vec::new();
    let mut reads = false;
    for mut grant in spec.objects("topicGrants", notes) {
        let topic = grant.text("topicName", notes).filter(|topic| !topic.is_empty());
        let access = grant.text("accessType", notes).unwrap_or_default();
        let pattern = grant.text("patternType", notes).unwrap_or_else(|| "literal".to_owned());
        let path = grant.path().to_owned();
        grant.rest(notes);
        let kind = match pattern.as_str() {
            "literal" => AclPatternType::Literal,
            "prefixed" => AclPatternType::Prefix,
            _ => {
                notes.lost(
                    format!("{path}.patternType"),
                    &Value::from(pattern),
                    "is for looking rules up, and grants nothing: write literal or prefixed",
                );
                continue;
            }
        };
        let operations: &[AclOperation] = match access.as_str() {
            "read" => &[AclOperation::Read, AclOperation::Describe],
            "write" => &[AclOperation::Write, AclOperation::Create, AclOperation::Describe],
            _ => {
                notes.lost(
                    format!("{path}.accessType"),
                    &Value::from(access),
                    "is no access: write read or write",
                );
                continue;
            }
        };
        let Some(topic) = topic else {
            notes.lost(format!("{path}.topicName"), &Value::Null, "is missing: the grant was left out");
            continue;
        };
        reads |= access == "read";
        match topics.iter_mut().find(|(name, of, _)| *name == topic && *of == kind) {
            Some((_, _, all)) => all.extend(operations),
            None => topics.push((topic, kind, operations.iter().copied().collect())),
        }
    }
    let rule = |type_, name: String, kind, operations| AclRule {
        type_: None,
        resource: AclRuleResource { type_, name: Some(name), pattern_type: Some(kind) },
        host: None,
        operations,
        operation: None,
    };
    let mut rules: Vec<AclRule> = topics
        .into_iter()
        .map(|(name, kind, operations)| {
            rule(AclResourceType::Topic, name, kind, operations.into_iter().collect())
        })
        .collect();
    if reads {
        rules.push(rule(
            AclResourceType::Group,
            "*".to_owned(),
            AclPatternType::Literal,
            vec![AclOperation::Read],
        ));
    }
    rules
}
