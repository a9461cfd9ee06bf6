//! The topic operator and the user operator, as a part of the plan of a cluster.

use api::{labels, names, ports};
use jiff::Timestamp;
use objects::DesiredObject;

use super::certificates::Certificates;
use super::cluster::Cluster;
use super::objects::{config_map, entity_operator, rbac};
use super::observed::Observed;
use super::status::Progress;
use crate::workload::network_policy::rule;
use crate::workload::operand::{Account, Company, Operand};

/// Adds what the section asks for.
pub(super) fn plan(
    cluster: &Cluster,
    certificates: &Certificates,
    observed: &Observed,
    now: Timestamp,
    apply: &mut Vec<DesiredObject>,
    progress: &mut Progress,
) {
    let Some(entity) = &cluster.entity_operator else { return };
    let settings = observed.settings.as_ref();
    let name = names::entity_operator::deployment(&cluster.name);
    let live = observed.deployments.get(&name).map(AsRef::as_ref);
    let mut rights = rbac::entity_operator_roles(cluster, entity);
    rights.extend(rbac::entity_operator_role_bindings(cluster, entity));
    // Only its probes and metrics are there to connect to.
    let topic = entity.topic.as_ref().map(|_| rule(ports::TOPIC_OPERATOR_HTTP, None));
    let user = entity.user.as_ref().map(|_| rule(ports::USER_OPERATOR_HTTP, None));
    let company = Company {
        account: Account::Own(entity.templates.service_account.as_ref()),
        rights,
        ingress: topic.into_iter().chain(user).collect(),
        budget: entity.templates.pod_disruption_budget.as_ref(),
        made_when: None,
    };
    let component_type = labels::component::ENTITY_OPERATOR;
    let operand = Operand { owner: &cluster.owner(), name: &name, component_type, live };
    let planned = operand.plan(settings.switches(), company, || {
        let topic = entity.topic.as_ref().map(|topic| config_map::topic_operator(cluster, topic));
        let user = entity.user.as_ref().map(|user| config_map::user_operator(cluster, user));
        let texts: Vec<&str> = certificates.entity.iter().map(String::as_str).collect();
        let authority = &certificates.cluster_ca;
        let started_with =
            entity_operator::started_with(&texts, authority.cert_generation, authority.key_generation);
        let clients_ca = &certificates.clients_ca;
        let trusted = clients_ca.supplied.then(|| clients_ca.id_trusted_by_all().unwrap_or_default());
        let deployment =
            entity_operator::deployment(cluster, entity, &started_with, trusted.as_deref(), settings, live);
        topic.into_iter().chain(user).chain([deployment]).collect()
    });
    progress.deployment(&name, planned.unavailable_since, now);
    apply.extend(planned.objects);
    progress.waiting_for.extend(planned.waiting_for);
}
