//! Text of the user's that a Kafka resource alone has, beside that of [`crate::text`]: principals and host names.

use super::Findings;
use crate::kafka::host_name;
pub(super) use crate::text::{class, item, jvm, option_name, plain};

/// Items of `super.users`, which Kafka separates by `;`.
pub(super) fn super_users(users: &[String], findings: &mut Findings) {
    for (index, user) in users.iter().enumerate() {
        let field = format!("spec.kafka.authorization.superUsers[{index}]");
        if user.strip_prefix("User:").unwrap_or(user).trim().is_empty() {
            findings.problem(
                field,
                format!("{user:?} names nobody: write a name such as CN=admin, or remove the item"),
            );
        } else if user.contains(';') {
            findings.problem(
                field,
                format!("{user:?} holds the separator ';': write each principal as an item of its own"),
            );
        } else {
            plain(user, &field, "the name of a principal", findings);
        }
    }
}

/// A host name or address, which stands in the list of the advertised listeners.
pub(super) fn host(name: &str, field: &str, findings: &mut Findings) {
    if let Some(complaint) = host_name::complaint(name) {
        findings.problem(field, format!("{name:?} {complaint}"));
    }
}

/// A template of host names with `{nodeId}` and `{nodePodName}`.
pub(super) fn host_template(template: &str, field: &str, findings: &mut Findings) {
    // With the longest values that there can be.
    let filled = template
        .replace("{nodeId}", &i32::MAX.to_string())
        .replace("{nodePodName}", &"p".repeat(api::limits::DNS_LABEL));
    if filled.contains(['{', '}']) {
        findings.problem(
            field,
            format!("{template:?} has an unknown placeholder: {{nodeId}} and {{nodePodName}} are known"),
        );
    } else if let Some(complaint) = host_name::complaint(&filled) {
        findings.problem(field, format!("{template:?} {complaint}"));
    }
}
