//! `kubectl-kafka`, which kubectl runs as `kubectl kafka`: the process around the subcommands.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kubectl_kafka::convert::{self, ConvertError};
use kubectl_kafka::exit;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-kafka",
    bin_name = "kubectl kafka",
    version,
    about = "Kafka clusters on Kubernetes, for people",
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Convert(Convert),
}

/// Turns manifests of koperator and of krallistic's kafka-operator into Strimzi resources
#[derive(Debug, clap::Args)]
#[command(long_about = CONVERT_ABOUT, after_long_help = CONVERT_MORE)]
struct Convert {
    /// File with manifests in YAML or JSON; repeat it for several, `-` is the standard input
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    filename: Vec<PathBuf>,
    /// Print nothing about what was changed or left out: it stands in the comments of the result
    #[arg(short, long)]
    quiet: bool,
}

const CONVERT_ABOUT: &str = "\
Turns manifests of other operators into Strimzi resources of version v1, and prints them.

It reads
  Kafkacluster    of krallistic.github.com
  KafkaCluster    of kafka.banzaicloud.io (koperator, Banzai Cloud's and Adobe's)
  KafkaTopic      of kafka.banzaicloud.io
  KafkaUser       of kafka.banzaicloud.io
several in one file, in one List or in several files, and asks nothing of a cluster. Documents of other kinds are left
out. What comes out is a Kafka with its KafkaNodePools, KafkaTopics and KafkaUsers; it is checked as the operator
checks it, and only printed when the operator accepts it.

What a manifest asks for and the resources cannot say is told on the standard error, and in comments before the
resources: the path, the value, and what to do instead. No secret is ever printed: where a value may be one, the
result refers to a Secret for you to make.

The result is a new cluster: records stay in the former one until you copy them.";

const CONVERT_MORE: &str = "\
Examples:
  kubectl kafka convert -f kafkacluster.yaml > kafka.yaml
  kubectl get kafkaclusters,kafkatopics,kafkausers.kafka.banzaicloud.io -n kafka -o yaml | kubectl kafka convert -f -

Exit codes:
  0   everything was expressed
  1   a document could not be read or converted; what could be is printed
  2   resources were printed, and something was not expressed: read the comments
  64  the command line is wrong";

/// What ends the program early.
#[derive(Debug, thiserror::Error)]
enum MainError {
    #[error("cannot read {path}: {source}")]
    Input { path: String, source: io::Error },
    #[error(transparent)]
    Convert(#[from] ConvertError),
    #[error("cannot write the result as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser::Error),
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let is_wrong = error.use_stderr();
            // Where it cannot be printed, the code says it.
            let _ = error.print();
            return ExitCode::from(if is_wrong { exit::USAGE } else { exit::DONE });
        }
    };
    let Command::Convert(command) = &arguments.command;
    match convert(command) {
        Ok(code) => ExitCode::from(code),
        // Whoever reads the result has seen enough.
        Err(MainError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::from(exit::DONE)
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(exit::FAILED)
        }
    }
}

fn convert(command: &Convert) -> Result<u8, MainError> {
    let mut input = String::new();
    for path in &command.filename {
        input.push_str(&read(path)?);
        input.push_str("\n---\n");
    }
    let conversion = convert::convert(&input)?;
    io::stdout().write_all(convert::text(&conversion)?.as_bytes())?;
    if !command.quiet || conversion.has_failed() {
        io::stderr().write_all(convert::summary(&conversion).as_bytes())?;
    }
    Ok(if conversion.has_failed() {
        exit::FAILED
    } else if conversion.has_lost() {
        exit::FOUND
    } else {
        exit::DONE
    })
}

fn read(path: &Path) -> Result<String, MainError> {
    let as_error = |source| MainError::Input { path: path.display().to_string(), source };
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map_err(as_error)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(as_error)
}
