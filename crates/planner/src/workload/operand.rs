//! A program that the operator runs in a Deployment, for a resource of any kind: the objects that every such program has, and how
//! far it is.

use api::common::template::{PodDisruptionBudgetTemplate, ResourceTemplate};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::NetworkPolicyIngressRule;
use k8s_openapi::api::policy::v1::PodDisruptionBudgetSpec;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use objects::{DesiredObject, Owner, Pairs};

use super::deployment::{is_available, unavailable_since};
use super::labels::component_labels;
use super::{budget, network_policy, rbac};

/// A program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand<'a> {
    /// The resource that it runs for.
    pub owner: &'a Owner,
    /// The name of the component, of the Deployment, and of the objects that go with it.
    pub name: &'a str,
    /// Kind of component, see [`api::labels::component`].
    pub component_type: &'a str,
    /// The Deployment that is there.
    pub live: Option<&'a Deployment>,
}

/// Settings of the operator about what goes with a Deployment.
#[derive(Debug, Clone, Copy)]
pub struct Switches {
    /// Whether NetworkPolicies are made.
    pub network_policies: bool,
    /// Whether PodDisruptionBudgets are made.
    pub pod_disruption_budgets: bool,
}

/// What goes with the Deployment of a program.
#[derive(Debug)]
pub(crate) struct Company<'a> {
    /// The ServiceAccount that the pods run as.
    pub account: Account<'a>,
    /// Roles, bindings and the like, which may be there long before the Deployment.
    pub rights: Vec<DesiredObject>,
    /// Who may connect to the pods.
    pub ingress: Vec<NetworkPolicyIngressRule>,
    /// The user's template of the PodDisruptionBudget.
    pub budget: Option<&'a PodDisruptionBudgetTemplate>,
    /// What a new Deployment waits for, in words that follow "is made when".
    pub made_when: Option<&'a str>,
}

/// The ServiceAccount that pods run as.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Account<'a> {
    /// That of the namespace: the program asks Kubernetes nothing.
    OfNamespace,
    /// Their own, with the user's template.
    Own(Option<&'a ResourceTemplate>),
}

/// The part of a plan that a program is.
#[derive(Debug)]
pub(crate) struct PlannedOperand {
    /// What is wanted.
    pub objects: Vec<DesiredObject>,
    /// What is not there yet, in words.
    pub waiting_for: Option<String>,
    /// Since when the Deployment that is there is not available.
    pub unavailable_since: Option<Timestamp>,
}

impl Operand<'_> {
    /// Everything that the program needs. `deployment` makes the Deployment, and what comes and goes with it alone.
    pub(crate) fn plan(
        &self,
        switches: Switches,
        company: Company<'_>,
        deployment: impl FnOnce() -> Vec<DesiredObject>,
    ) -> PlannedOperand {
        let mut objects = Vec::new();
        if let Account::Own(template) = company.account {
            objects.push(rbac::service_account(self.owner, self.name.to_owned(), self.labels(), template));
        }
        objects.extend(company.rights);
        if switches.network_policies {
            let name = self.name.to_owned();
            objects.push(network_policy::policy(self.owner, name, self.labels(), company.ingress));
        }
        if switches.pod_disruption_budgets {
            objects.push(self.disruption_budget(company.budget));
        }
        let name = self.name;
        if let Some(obstacle) = company.made_when.filter(|_| self.live.is_none()) {
            let waiting_for = Some(format!("deployment {name} is made when {obstacle}"));
            return PlannedOperand { objects, waiting_for, unavailable_since: None };
        }
        objects.extend(deployment());
        let runs = self.live.is_some_and(is_available);
        let waiting_for = (!runs).then(|| format!("deployment {name} is not available"));
        let unavailable_since = self.live.filter(|_| !runs).and_then(unavailable_since);
        PlannedOperand { objects, waiting_for, unavailable_since }
    }

    /// The labels of its objects.
    fn labels(&self) -> Pairs {
        component_labels(self.owner, self.name, self.component_type)
    }

    /// A Deployment has a scale, so it is said how many of its pods may be away.
    fn disruption_budget(&self, template: Option<&PodDisruptionBudgetTemplate>) -> DesiredObject {
        let spec = PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(budget::max_unavailable(template))),
            ..PodDisruptionBudgetSpec::default()
        };
        budget::budget(self.owner, self.name.to_owned(), self.labels(), template, spec)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::DeploymentStatus;
    use objects::Object;

    use super::*;

    const ALL: Switches = Switches { network_policies: true, pod_disruption_budgets: true };

    fn company(made_when: Option<&str>) -> Company<'_> {
        let account = Account::Own(None);
        Company { account, rights: Vec::new(), ingress: Vec::new(), budget: None, made_when }
    }

    /// Kinds of the objects and what is waited for.
    fn planned(
        live: Option<&Deployment>,
        switches: Switches,
        company: Company<'_>,
    ) -> (Vec<String>, Option<String>) {
        let owner = Owner::new::<api::KafkaBridge>("b", "ns", "u", &Pairs::new());
        let operand = Operand { owner: &owner, name: "b-bridge", component_type: "kafka-bridge", live };
        let PlannedOperand { objects, waiting_for, .. } = operand.plan(switches, company, || {
            vec![Object::new(&owner, "b-bridge", Pairs::new(), Deployment::default()).build()]
        });
        for object in &objects {
            assert_eq!(object.object["metadata"]["ownerReferences"][0]["kind"], "KafkaBridge");
        }
        (objects.into_iter().map(|object| object.reference.kind).collect(), waiting_for)
    }

    #[test]
    fn a_program_of_a_resource_of_any_kind_has_its_objects_and_says_how_far_it_is() {
        let waits = |text: &str| Some(text.to_owned());
        let company_of = ["ServiceAccount", "NetworkPolicy", "PodDisruptionBudget"];
        let all: Vec<&str> = company_of.into_iter().chain(["Deployment"]).collect();
        let (kinds, waiting) = planned(None, ALL, company(None));
        assert_eq!((kinds, waiting), (to_owned(&all), waits("deployment b-bridge is not available")));
        let (kinds, waiting) = planned(None, ALL, company(Some("Kafka is ready")));
        let words = waits("deployment b-bridge is made when Kafka is ready");
        assert_eq!((kinds, waiting), (to_owned(&company_of), words));
        let status = DeploymentStatus {
            updated_replicas: Some(1),
            available_replicas: Some(1),
            ..DeploymentStatus::default()
        };
        let live = Deployment { status: Some(status), ..Deployment::default() };
        // A Deployment that is there stays, whatever a new one would wait for.
        let (kinds, waiting) = planned(Some(&live), ALL, company(Some("Kafka is ready")));
        assert_eq!((kinds, waiting), (to_owned(&all), None));
        let none = Switches { network_policies: false, pod_disruption_budgets: false };
        let (kinds, _) =
            planned(Some(&live), none, Company { account: Account::OfNamespace, ..company(None) });
        assert_eq!(kinds, ["Deployment"]);
    }

    fn to_owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}
