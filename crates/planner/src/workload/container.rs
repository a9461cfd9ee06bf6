//! Containers: what the operator's settings and the user's templates add to them.

use std::collections::BTreeSet;

use api::common::pod_template::ContainerTemplate;
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, ResourceRequirements, SecurityContext,
};

use super::Defaults;

/// Security of a container that needs nothing: no new privileges, no capabilities, a file system that stays as it is.
pub(crate) fn security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
        ..SecurityContext::default()
    }
}

/// An environment variable with a value.
pub(crate) fn variable(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.into()), ..EnvVar::default() }
}

/// A TCP port.
pub(crate) fn port(name: &str, number: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

/// The container with its resources and with what the operator's settings say of every container.
pub(crate) fn completed(
    mut container: Container,
    resources: Option<&ResourceRequirements>,
    defaults: &Defaults<'_>,
) -> Container {
    container.resources = resources.cloned();
    container.image_pull_policy = defaults.image_pull_policy.map(str::to_owned);
    for (name, value) in defaults.environment {
        add_variable(&mut container, variable(name, value));
    }
    container
}

/// Lays the user's container template over a container: variables that the operator does not set itself, mounts, and
/// the security context as a whole.
pub(crate) fn apply_template(container: &mut Container, template: Option<&ContainerTemplate>) {
    let Some(template) = template else { return };
    for variable in template.env.iter().flatten() {
        add_variable(container, variable.clone().into());
    }
    if let Some(mounts) = &template.volume_mounts {
        container.volume_mounts.get_or_insert_default().extend(mounts.iter().cloned());
    }
    if let Some(security) = &template.security_context {
        container.security_context = Some(security.clone());
    }
}

/// The names of the environment variables of a container.
pub(crate) fn variable_names(container: &Container) -> BTreeSet<String> {
    container.env.iter().flatten().map(|variable| variable.name.clone()).collect()
}

/// Adds a variable unless the container has it.
fn add_variable(container: &mut Container, variable: EnvVar) {
    let variables = container.env.get_or_insert_default();
    if !variables.iter().any(|known| known.name == variable.name) {
        variables.push(variable);
    }
}

#[cfg(test)]
mod tests {
    use api::common::pod_template::ContainerEnvVar;

    use super::*;

    #[test]
    fn a_variable_of_the_operator_is_never_replaced() {
        let mut container = Container { env: Some(vec![variable("A", "ours")]), ..Container::default() };
        let users = |name: &str| ContainerEnvVar {
            name: Some(name.to_owned()),
            value: Some("theirs".to_owned()),
            value_from: None,
        };
        let template =
            ContainerTemplate { env: Some(vec![users("A"), users("B")]), ..ContainerTemplate::default() };
        apply_template(&mut container, Some(&template));
        let shared = [("A".to_owned(), "shared".to_owned()), ("C".to_owned(), "shared".to_owned())].into();
        let defaults =
            Defaults { image_pull_policy: Some("Never"), image_pull_secrets: &[], environment: &shared };
        let container = completed(container, None, &defaults);
        let expected = [variable("A", "ours"), variable("B", "theirs"), variable("C", "shared")];
        assert_eq!(container.env.unwrap_or_default(), expected);
        assert_eq!(container.image_pull_policy.as_deref(), Some("Never"));
    }
}
