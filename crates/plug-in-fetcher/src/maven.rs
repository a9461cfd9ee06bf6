//! Maven artifacts with what they need: which files, out of which repositories.
//!
//! The rules are those of Maven for an artifact that a project without anything else depends on: of two versions the one nearer to
//! the artifact wins, and of two equally near the one named first; optional, provided and test dependencies of others do not come along; a
//! POM has what its parents have; what a POM manages holds for its own dependencies.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::str::FromStr;

use aws_lc_rs::digest;

use crate::Error;
pub use crate::coordinate::Coordinate;
use crate::coordinate::file_name;
use crate::fetch::{Fetcher, Wanted, check, hex};
use crate::pom::{Dependency, Key, Model, Pom};

/// Maven Central.
const CENTRAL: &str = "https://repo1.maven.org/maven2";
/// Largest POM.
const LARGEST_POM: u64 = 4 * 1024 * 1024;
/// Parents above each other, and imports within each other.
const DEEPEST: usize = 32;
/// Artifacts of one plug-in.
const MOST: usize = 2000;

/// Which dependencies come along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those needed to compile.
    Compile,
    /// Those needed to run.
    Runtime,
    /// All of these: those for the tests of others never come.
    Test,
    /// None: they are never brought along by others.
    Nothing,
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "compile" => Ok(Self::Compile),
            "runtime" => Ok(Self::Runtime),
            "test" => Ok(Self::Test),
            "provided" | "system" => Ok(Self::Nothing),
            _ => Err("write compile, runtime, test, provided or system".to_owned()),
        }
    }
}

/// The repositories in the order in which they are asked.
pub fn repositories(own: Option<String>, mirrors: Vec<String>) -> Vec<String> {
    let public = if mirrors.is_empty() { vec![CENTRAL.to_owned()] } else { mirrors };
    let all = own.into_iter().chain(public);
    all.map(|address| address.trim_end_matches('/').to_owned()).collect()
}

/// A file that comes along.
#[derive(Debug, Clone)]
struct File {
    coordinate: Coordinate,
    classifier: String,
    extension: String,
    /// Needed to compile; else to run alone.
    compile: bool,
}

/// Brings an artifact and what it needs into a folder. Returns the names of the files.
///
/// # Errors
/// When something is missing, or the artifact cannot be understood.
pub fn bring(
    fetcher: &Fetcher,
    repositories: Vec<String>,
    wanted: &Coordinate,
    scope: Scope,
    folder: &Path,
) -> Result<Vec<String>, Error> {
    let mut resolver = Resolver { fetcher, repositories, models: BTreeMap::new() };
    let mut files = resolver.resolve(wanted)?;
    files.retain(|file| match scope {
        Scope::Compile => file.compile,
        Scope::Runtime | Scope::Test => true,
        Scope::Nothing => false,
    });
    let mut names = BTreeSet::new();
    for file in &files {
        let Coordinate { group, artifact, version } = &file.coordinate;
        let mut name = file_name(artifact, version, &file.classifier, &file.extension);
        if names.contains(&name) {
            // Another group has an artifact of the same name.
            name = format!("{group}.{name}");
        }
        resolver.bring(file, &name, folder)?;
        names.insert(name);
    }
    Ok(names.into_iter().collect())
}

struct Resolver<'a> {
    fetcher: &'a Fetcher,
    repositories: Vec<String>,
    models: BTreeMap<Coordinate, Model>,
}

/// A dependency on its way through the tree.
struct Node {
    dependency: Dependency,
    compile: bool,
    exclusions: Vec<(String, String)>,
}

impl Resolver<'_> {
    /// All files, nearest first.
    fn resolve(&mut self, wanted: &Coordinate) -> Result<Vec<File>, Error> {
        let root = Dependency::of(wanted);
        let mut queue = VecDeque::from([Node { dependency: root, compile: true, exclusions: Vec::new() }]);
        let mut files: BTreeMap<Key, (usize, File)> = BTreeMap::new();
        while let Some(node) = queue.pop_front() {
            let Node { dependency, compile, exclusions } = node;
            let mut coordinate = dependency.coordinate(wanted)?;
            let mut model = self.model(&coordinate)?;
            let mut moves = 0;
            while let Some(to) = &model.moved_to {
                moves += 1;
                if moves > DEEPEST {
                    return Err(wanted.failed(format!("{coordinate} moved in a circle")));
                }
                coordinate = to.clone();
                model = self.model(&coordinate)?;
            }
            let key = dependency.key_at(&coordinate);
            if let Some((_, known)) = files.get_mut(&key) {
                // A nearer one is there; whoever needs it to compile has it.
                known.compile |= compile;
                continue;
            }
            if files.len() >= MOST {
                return Err(wanted.failed(format!("it needs more than {MOST} artifacts")));
            }
            for below in &model.dependencies {
                let is_excluded = exclusions.iter().any(|(group, artifact)| {
                    (group == "*" || *group == below.group)
                        && (artifact == "*" || *artifact == below.artifact)
                });
                let below_compile = match below.scope.as_str() {
                    "" | "compile" => compile,
                    "runtime" => false,
                    _ => continue,
                };
                if below.optional || is_excluded {
                    continue;
                }
                let mut exclusions = exclusions.clone();
                exclusions.extend(below.exclusions.iter().cloned());
                queue.push_back(Node { dependency: below.clone(), compile: below_compile, exclusions });
            }
            let (classifier, extension) = dependency.file();
            let order = files.len();
            files.insert(key, (order, File { coordinate, classifier, extension, compile }));
        }
        let mut all: Vec<(usize, File)> = files.into_values().collect();
        all.sort_by_key(|(order, _)| *order);
        Ok(all.into_iter().map(|(_, file)| file).filter(|file| file.extension != "pom").collect())
    }

    fn bring(&self, file: &File, name: &str, folder: &Path) -> Result<(), Error> {
        let path = file.coordinate.path(&file.classifier, &file.extension);
        self.first(&file.coordinate, |repository| {
            let url = format!("{repository}/{path}");
            let loaded = self.fetcher.to_file(&Wanted { url: &url, sha512: None }, folder)?;
            let content = std::fs::read(loaded.path()).map_err(Error::file("read", loaded.path()))?;
            self.check_sum(&url, &content)?;
            loaded.keep_as(name)
        })
    }

    /// The POM with what its parents and imports add.
    fn model(&mut self, coordinate: &Coordinate) -> Result<Model, Error> {
        if let Some(known) = self.models.get(coordinate) {
            return Ok(known.clone());
        }
        let model = self.read(coordinate, 0)?;
        self.models.insert(coordinate.clone(), model.clone());
        Ok(model)
    }

    fn read(&self, coordinate: &Coordinate, depth: usize) -> Result<Model, Error> {
        let mut family = vec![self.pom(coordinate)?];
        while let Some(parent) = family.last().and_then(|pom| pom.parent.clone()) {
            if depth + family.len() > DEEPEST {
                return Err(
                    coordinate.failed(format!("its parents are more than {DEEPEST}, or each other's"))
                );
            }
            family.push(self.pom(&parent)?);
        }
        let (mut model, imports) = Model::of(coordinate, &family);
        for import in imports {
            if depth >= DEEPEST {
                return Err(
                    coordinate.failed(format!("its imports are deeper than {DEEPEST}, or each other's"))
                );
            }
            let imported = self.read(&import, depth + 1)?;
            model.import(&imported);
        }
        model.manage();
        Ok(model)
    }

    fn pom(&self, coordinate: &Coordinate) -> Result<Pom, Error> {
        let path = coordinate.path("", "pom");
        let content = self.first(coordinate, |repository| {
            let url = format!("{repository}/{path}");
            let content = self.fetcher.to_memory(&url, LARGEST_POM)?;
            self.check_sum(&url, &content)?;
            Ok(content)
        })?;
        let text = String::from_utf8_lossy(&content);
        Pom::parse(&text).map_err(|why| coordinate.failed(format!("its POM cannot be read: {why}")))
    }

    /// What the first repository gives that has it.
    fn first<T>(&self, coordinate: &Coordinate, ask: impl Fn(&str) -> Result<T, Error>) -> Result<T, Error> {
        if !coordinate.is_plain() {
            return Err(coordinate
                .failed("it is no coordinate of Maven; ranges and properties without a value are none"));
        }
        let mut missing = None;
        for repository in &self.repositories {
            match ask(repository) {
                Err(error) if error.is_missing() => missing = Some(error),
                other => return other,
            }
        }
        Err(missing.unwrap_or_else(|| coordinate.failed("there is no repository")))
    }

    /// Compares a file with the sum beside it, where a repository has one.
    fn check_sum(&self, url: &str, content: &[u8]) -> Result<(), Error> {
        let kinds: [(&str, &'static str, &digest::Algorithm); 2] =
            [("sha512", "SHA-512", &digest::SHA512), ("sha1", "SHA-1", &digest::SHA1_FOR_LEGACY_USE_ONLY)];
        for (ending, kind, algorithm) in kinds {
            match self.fetcher.to_memory(&format!("{url}.{ending}"), 4096) {
                Ok(text) => {
                    let text = String::from_utf8_lossy(&text);
                    let wanted = text.split_whitespace().next().unwrap_or_default();
                    return check(kind, url, &hex(digest::digest(algorithm, content).as_ref()), wanted);
                }
                Err(error) if error.is_missing() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
