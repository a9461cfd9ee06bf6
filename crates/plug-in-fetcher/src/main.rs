//! Brings the files of a plug-in into a folder, while an image for Kafka Connect is built. See `plug-in-fetcher --help`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
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
    work: Work,
}

#[derive(Debug, Subcommand)]
enum Work {
    #[command(flatten)]
    One(Command),
    /// Does what a file lists, one command after the other.
    All {
        /// A JSON list of commands; each is the list of its words.
        list: PathBuf,
    },
}

/// A command of a list.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Item {
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
    let result = match Arguments::parse().work {
        Work::One(command) => run(command),
        Work::All { list } => commands(&list).and_then(|all| all.into_iter().try_for_each(run)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The commands of a list. Nothing is loaded before all of them are understood.
fn commands(list: &Path) -> Result<Vec<Command>, Error> {
    let file = File::open(list).map_err(Error::file("read", list))?;
    let wrong = |why: String| Error::List { path: list.to_owned(), why };
    let items: Vec<Vec<String>> =
        serde_json::from_reader(BufReader::new(file)).map_err(|error| wrong(error.to_string()))?;
    let command = |(index, words): (usize, Vec<String>)| {
        let item = Item::try_parse_from(words);
        item.map(|item| item.command).map_err(|error| {
            let why = error.to_string();
            wrong(format!("item {index}: {}", why.lines().next().unwrap_or_default()))
        })
    };
    items.into_iter().enumerate().map(command).collect()
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
