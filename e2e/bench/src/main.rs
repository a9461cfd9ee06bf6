//! Measures the operators on this machine: a real API server, a real Kafka node where one is needed, the release binary as
//! a process.
//!
//! Rows go to standard output (figure, measured, limit), progress to standard error. Nothing is judged here: a busy
//! machine is no failure.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the rows are the product")]

mod bare;
mod bridge;
mod clusters;
mod connectors;
mod exporter;
#[path = "../../../crates/kafka-exporter/tests/common/groups.rs"]
mod groups;
mod hosts;
mod idle;
mod kafka_stand_in;
mod operator;
mod own;
#[path = "../../../crates/planner/tests/common/mod.rs"]
mod paper;
mod pass;
mod plan;
mod report;
mod rolls;
mod settled;
mod single;
mod topics;
mod topics_at_scale;
mod users;
mod world;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Measures the operators beside the bare API calls they need.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The bridge: records and consumers.
    Bridge {
        /// The binary of the bridge.
        #[arg(long)]
        bridge: PathBuf,
    },
    /// Kafka clusters: until the pods of many new ones exist.
    Clusters {
        /// The binary of the cluster operator.
        #[arg(long)]
        operator: PathBuf,
        /// How many clusters; each number is a run of its own.
        #[arg(long, value_delimiter = ',', default_values_t = [50, 500])]
        counts: Vec<usize>,
        /// How many clusters are cached while passes over one of them are measured in memory.
        #[arg(long, value_delimiter = ',', default_values_t = [50, 2_000])]
        cached: Vec<usize>,
    },
    /// The planner alone: one plan of a large cluster that rolls.
    Plan,
    /// Rolls of Kafka clusters, and restarts for changes, on the Kubernetes that KUBECONFIG points at, with the chart installed.
    Rolls,
    /// Passes over one cluster in memory, as `clusters` measures them too.
    Pass {
        /// How many clusters are cached beside it.
        #[arg(long, value_delimiter = ',', default_values_t = [50, 2_000])]
        cached: Vec<usize>,
    },
    /// KafkaTopics: some are there and Ready, more are new.
    Topics {
        /// The binary of the topic operator.
        #[arg(long)]
        operator: PathBuf,
        /// Topics that are Ready before.
        #[arg(long, default_value_t = 1000)]
        old: usize,
        /// Topics that are new.
        #[arg(long, default_value_t = 5000)]
        new: usize,
        /// Numbers of topics, all new, on four brokers; the cost of each is compared with that of the first number.
        #[arg(long, value_delimiter = ',', default_values_t = [6_000, 40_000])]
        scale: Vec<usize>,
    },
    /// The exporter with many consumer groups of ten partitions each.
    Exporter {
        /// The binary of the exporter.
        #[arg(long)]
        exporter: PathBuf,
        /// How many groups.
        #[arg(long, default_value_t = 1000)]
        count: usize,
    },
    /// KafkaConnectors of one Connect cluster, nine of ten stopped.
    Connectors {
        /// The binary of the cluster operator.
        #[arg(long)]
        operator: PathBuf,
        /// How many.
        #[arg(long, default_value_t = 1000)]
        count: usize,
    },
    /// KafkaUsers with certificates, two rules and a quota each.
    Users {
        /// The binary of the user operator.
        #[arg(long)]
        operator: PathBuf,
        /// How many; each number is a run of its own, and the cost of each is compared with that of the first number.
        #[arg(long, value_delimiter = ',', default_values_t = [2_000, 10_000])]
        counts: Vec<usize>,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().what {
        What::Bridge { bridge } => bridge::run(&bridge).await,
        What::Clusters { operator, counts, cached } => {
            clusters::run(&operator, &counts).await?;
            pass::run(&cached).await
        }
        What::Topics { operator, old, new, scale } => {
            topics::run(&operator, old, new).await?;
            topics_at_scale::run(&operator, &scale).await
        }
        What::Users { operator, counts } => users::run(&operator, &counts).await,
        What::Connectors { operator, count } => connectors::run(&operator, count).await,
        What::Exporter { exporter, count } => exporter::run(&exporter, count).await,
        What::Plan => plan::run(),
        What::Rolls => rolls::run().await,
        What::Pass { cached } => pass::run(&cached).await,
    }
}
