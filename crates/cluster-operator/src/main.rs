//! The cluster operator: starts, wires, ends.

use std::process::ExitCode;

use clap::Parser;
use cluster_operator::settings::Settings;
use cluster_operator::{run, runtime};
use operator_runtime::env::Env;
use operator_runtime::telemetry;

/// Runs Apache Kafka clusters from Kafka and KafkaNodePool resources.
///
/// The operator is configured by environment variables, which the Helm chart sets. The most important ones:
///
///   STRIMZI_NAMESPACE                        namespaces to watch, separated by commas; * for all (default)
///   KASTELLAN_OPERATOR_IMAGE                 image with the binaries of Kastellan (required)
///   KASTELLAN_KAFKA_IMAGE                    Kafka's image without its tag (default apache/kafka)
///   STRIMZI_KAFKA_IMAGES                     images by version, for example 4.3.1=registry/kafka:4.3.1
///   STRIMZI_FULL_RECONCILIATION_INTERVAL_MS  time between two passes over everything (default 120000)
///   STRIMZI_LEADER_ELECTION_ENABLED          true: only the holder of the Lease works (default false)
///   STRIMZI_LOG_LEVEL                        INFO (default), DEBUG, TRACE, WARN, ERROR
///   KASTELLAN_LOG_FORMAT                     text (default) or json
///
/// Bounds for what one tenant may make the operator hold in memory. What is beyond them is left alone, and says so:
///
///   KASTELLAN_MAX_CACHE_MIB                  all watched objects (default: two fifths of the container's memory limit,
///                                            1024 without one); half of it is divided among the namespaces
///   KASTELLAN_MAX_OBJECT_KIB                 one object (default 16384)
///   KASTELLAN_MAX_SECRET_KIB                 one Secret or ConfigMap of a cluster (default 512)
///   KASTELLAN_MAX_CLUSTER_MIB                all objects with the labels of one cluster, while a pass reads them (default 64)
///   KASTELLAN_MAX_REFERENCES                 Secrets and ConfigMaps of the user's own that one cluster refers to (default 100)
///   KASTELLAN_MAX_NODES                      nodes that one cluster may grow to (default 300)
///   KASTELLAN_MAX_WISHED_IDS                 node ids in one annotation for node ids (default 10000)
///   KASTELLAN_MAX_ANSWER_MIB                 one answer of a broker (default 16); it may take three times as much once it
///                                            is read, and the clusters read four such answers at a time
///
/// It serves /healthy, /ready and /metrics on port 8080.
#[derive(Parser)]
#[command(version, verbatim_doc_comment)]
struct Cli {}

fn main() -> ExitCode {
    let Cli {} = Cli::parse();
    let env = Env::from_process();
    let settings = match Settings::from_env(&env) {
        Ok(settings) => settings,
        Err(errors) => {
            eprintln!("cluster-operator: wrong settings\n{errors}");
            return ExitCode::from(2);
        }
    };
    telemetry::init(&settings.telemetry);
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
