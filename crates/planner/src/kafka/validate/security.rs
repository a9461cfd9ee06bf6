//! Authorities, maintenance windows, authorization.

use api::Kafka;
use api::conditions::reasons;
use api::kafka::{
    AuthorizationType, CertManager, CertificateAuthority, CertificateAuthorityType,
    CertificateExpirationPolicy, KafkaClusterSpec,
};

use super::{Findings, text};
use crate::kafka::cluster::{Authorization, CaSettings};
use crate::kafka::older::no_longer;

/// Days of validity of an authority.
const DEFAULT_VALIDITY_DAYS: u32 = 365;
/// Days before the end of an authority at which it is renewed.
const DEFAULT_RENEWAL_DAYS: u32 = 30;

/// Who may do what.
pub(super) fn authorization(spec: &KafkaClusterSpec, findings: &mut Findings) -> Authorization {
    let Some(raw) = &spec.authorization else { return Authorization::None };
    let super_users = raw.super_users.clone().unwrap_or_default();
    text::super_users(&super_users, findings);
    match raw.type_ {
        AuthorizationType::Simple => Authorization::Simple { super_users },
        AuthorizationType::Opa | AuthorizationType::Keycloak => {
            findings.problem("spec.kafka.authorization.type", no_longer::authorization(raw.type_));
            Authorization::None
        }
        AuthorizationType::Custom => {
            let class = raw.authorizer_class.clone().unwrap_or_default();
            if class.is_empty() {
                findings.problem(
                    "spec.kafka.authorization.authorizerClass",
                    "is missing: name the Java class of the authorizer",
                );
            }
            text::class(&class, "spec.kafka.authorization.authorizerClass", findings);
            Authorization::Custom {
                class,
                super_users,
                supports_admin_api: raw.supports_admin_api.unwrap_or(false),
            }
        }
    }
}

/// The settings of an authority.
pub(super) fn authority(
    raw: Option<&CertificateAuthority>,
    field: &str,
    findings: &mut Findings,
) -> CaSettings {
    let default = CertificateAuthority::default();
    let raw = raw.unwrap_or(&default);
    let days =
        |value: Option<i32>, default: u32| value.and_then(|days| u32::try_from(days).ok()).unwrap_or(default);
    let mut validity_days = days(raw.validity_days, DEFAULT_VALIDITY_DAYS);
    let mut renewal_days = days(raw.renewal_days, DEFAULT_RENEWAL_DAYS);
    if renewal_days >= validity_days {
        findings.problem(
            format!("{field}.renewalDays"),
            format!("{renewal_days} must be less than the {validity_days} validityDays"),
        );
        (validity_days, renewal_days) = (DEFAULT_VALIDITY_DAYS, DEFAULT_RENEWAL_DAYS);
    }
    CaSettings {
        generate: raw.generate_certificate_authority.unwrap_or(true),
        issuer: issuer(raw, field, findings),
        owner_reference: raw.generate_secret_owner_reference.unwrap_or(true),
        validity_days,
        renewal_days,
        replace_key: raw.certificate_expiration_policy == Some(CertificateExpirationPolicy::ReplaceKey),
    }
}

/// The issuer of cert-manager, where the type says so.
fn issuer(raw: &CertificateAuthority, field: &str, findings: &mut Findings) -> Option<CertManager> {
    if raw.type_ != Some(CertificateAuthorityType::CertManager) {
        if raw.cert_manager.is_some() {
            let message = format!("{field}.certManager has no effect without {field}.type: cert-manager.io");
            findings.warn(reasons::FIELDS_WITHOUT_EFFECT, message);
        }
        return None;
    }
    if raw.generate_certificate_authority != Some(false) {
        findings.problem(
            format!("{field}.generateCertificateAuthority"),
            "must be false where the type is cert-manager.io, as the issuer is the authority: write false, or leave out the type",
        );
    }
    let Some(wanted) = &raw.cert_manager else {
        findings.problem(
            format!("{field}.certManager"),
            "is missing: name the issuer (issuerRef), and the Secret with the CA certificates to trust and the key in it (caCert)",
        );
        return None;
    };
    let (issuer, trusted) = (&wanted.issuer_ref, &wanted.ca_cert);
    let texts = [
        ("issuerRef.name", Some(&issuer.name), "write the name of the issuer"),
        ("issuerRef.kind", issuer.kind.as_ref(), "write the kind of the issuer, or leave it out for Issuer"),
        (
            "issuerRef.group",
            issuer.group.as_ref(),
            "write its API group, or leave it out for cert-manager.io",
        ),
        (
            "caCert.secretName",
            Some(&trusted.secret_name),
            "write the name of the Secret with the CA certificates",
        ),
        ("caCert.certificate", Some(&trusted.certificate), "write the key in the Secret, such as ca.crt"),
    ];
    let mut is_whole = true;
    for (name, text, instead) in texts {
        if text.is_some_and(String::is_empty) {
            findings.problem(format!("{field}.certManager.{name}"), format!("is empty: {instead}"));
            is_whole = false;
        }
    }
    is_whole.then(|| wanted.clone())
}

/// The windows in which certificates may be renewed.
pub(super) fn windows(kafka: &Kafka, findings: &mut Findings) -> Vec<pki::MaintenanceWindow> {
    let mut windows = Vec::new();
    for (index, text) in kafka.spec.maintenance_time_windows.iter().flatten().enumerate() {
        match pki::MaintenanceWindow::parse(text) {
            Ok(window) => windows.push(window),
            Err(error) => {
                findings.problem(format!("spec.maintenanceTimeWindows[{index}]"), error.to_string());
            }
        }
    }
    windows
}
