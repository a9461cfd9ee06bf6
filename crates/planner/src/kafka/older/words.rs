//! Messages about pools that no object describes, in the words of the resource that does.

use std::sync::Arc;

use api::KafkaNodePool;
use kube_core::ResourceExt;

use super::implied::{self, BROKERS};
use crate::findings::{Culprit, Findings};

/// Names the fields of the Kafka resource in place of those of a KafkaNodePool that does not exist.
pub fn of_the_resource(pools: &[Arc<KafkaNodePool>], findings: &mut Findings) {
    for pool in pools.iter().filter(|pool| implied::is_implied(pool)) {
        let name = pool.name_any();
        let section = if name == BROKERS { "spec.kafka" } else { "spec.zookeeper" };
        let (object, container) =
            (format!("KafkaNodePool {name} spec"), format!("{section}.template.kafkaContainer"));
        let say = |text: &mut String| {
            *text = text.replace(&object, section);
            if name != BROKERS {
                *text = text.replace(&container, "spec.zookeeper.template.zookeeperContainer");
            }
        };
        for problem in &mut findings.problems {
            if problem.field.contains(&object) {
                problem.culprit = Culprit::Resource;
            }
            say(&mut problem.field);
            say(&mut problem.message);
        }
        findings.warnings.iter_mut().for_each(|warning| say(&mut warning.message));
        findings.held.iter_mut().for_each(|held| say(&mut held.message));
    }
}
