//! Brings the files of a plug-in into a folder, while an image for Kafka Connect is built. See `plug-in-fetcher --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use plug_in_fetcher::fetch::{Fetcher, Limits, Wanted};
use plug_in_fetcher::maven::{self, Coordinate, Scope};
use plug_in_fetcher::{Error, archive};

/// Brings the files of a plug-in of Kafka Connect into a folder: over HTTPS, with a check of their sums, without leaving the folder.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Puts a file there as it is.
    File {
        /// Name of the file.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        source: Source,
    },
    /// Unpacks a compressed tar archive.
    Tgz {
        #[command(flatten)]
        source: Source,
    },
    /// Unpacks a ZIP archive.
    Zip {
        #[command(flatten)]
        source: Source,
    },
    /// Puts a Maven artifact and its dependencies there.
    Maven {
        /// The folder.
        #[arg(long)]
        to: PathBuf,
        /// Group id.
        #[arg(long)]
        group: String,
        /// Artifact id.
        #[arg(long)]
        artifact: String,
        /// Version.
        #[arg(long = "version", id = "artifact_version")]
        version: String,
        /// A repository to ask first.
        #[arg(long)]
        repository: Option<String>,
        /// A repository to ask in place of Maven Central.
        #[arg(long)]
        mirror: Vec<String>,
        /// Which dependencies come along: compile, runtime, test; provided and system bring nothing.
        #[arg(long, default_value = "runtime")]
        scope: Scope,
    },
}

#[derive(Debug, Args)]
struct Source {
    /// The folder.
    #[arg(long)]
    to: PathBuf,
    /// Address of the file.
    #[arg(long)]
    url: String,
    /// SHA-512 sum of the file in hexadecimal.
    #[arg(long)]
    sha512: Option<String>,
    /// Does not verify the server's certificate.
    #[arg(long)]
    insecure: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    let load = |source: &Source| {
        let fetcher = Fetcher::new(source.insecure, Limits::default())?;
        fetcher.to_file(&Wanted { url: &source.url, sha512: source.sha512.as_deref() }, &source.to)
    };
    match command {
        Command::File { name, source } => load(&source)?.keep_as(&name),
        Command::Tgz { source } => {
            archive::unpack_tgz(load(&source)?, &source.to, &archive::Limits::default())
        }
        Command::Zip { source } => {
            archive::unpack_zip(load(&source)?, &source.to, &archive::Limits::default())
        }
        Command::Maven { to, group, artifact, version, repository, mirror, scope } => {
            let fetcher = Fetcher::new(false, Limits::default())?;
            let repositories = maven::repositories(repository, mirror);
            let coordinate = Coordinate { group, artifact, version };
            let names = maven::bring(&fetcher, repositories, &coordinate, scope, &to)?;
            for name in names {
                eprintln!("{name}");
            }
            Ok(())
        }
    }
}
