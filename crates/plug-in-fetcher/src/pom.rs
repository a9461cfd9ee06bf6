//! POMs: what one says, and what it means together with its parents.

use std::collections::BTreeMap;

use roxmltree::{Document, Node};

use crate::Error;
use crate::coordinate::Coordinate;

/// Replacements of properties within each other.
const DEEPEST: usize = 16;
/// Longest text after that.
const LONGEST: usize = 4096;

/// What dependencies are told apart by: group, artifact, extension and classifier.
pub(crate) type Key = (String, String, String, String);

/// A dependency as a POM names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub group: String,
    pub artifact: String,
    pub version: String,
    pub kind: String,
    pub classifier: String,
    pub scope: String,
    pub optional: bool,
    pub exclusions: Vec<(String, String)>,
}

impl Dependency {
    /// A jar.
    pub(crate) fn of(coordinate: &Coordinate) -> Self {
        let Coordinate { group, artifact, version } = coordinate.clone();
        Self { group, artifact, version, ..Self::default() }
    }

    /// Classifier and extension of the file.
    pub(crate) fn file(&self) -> (String, String) {
        let (classifier, extension) = match self.kind.as_str() {
            "" | "jar" | "bundle" | "ejb" | "maven-plugin" => ("", "jar"),
            "test-jar" => ("tests", "jar"),
            "java-source" => ("sources", "jar"),
            other => ("", other),
        };
        let classifier = if self.classifier.is_empty() { classifier } else { &self.classifier };
        (classifier.to_owned(), extension.to_owned())
    }

    /// Its key where the artifact is at this coordinate.
    pub(crate) fn key_at(&self, coordinate: &Coordinate) -> Key {
        let (classifier, extension) = self.file();
        (coordinate.group.clone(), coordinate.artifact.clone(), extension, classifier)
    }

    fn key(&self) -> Key {
        let (classifier, extension) = self.file();
        (self.group.clone(), self.artifact.clone(), extension, classifier)
    }

    /// The coordinate. A range of exactly one version is that version.
    pub(crate) fn coordinate(&self, wanted: &Coordinate) -> Result<Coordinate, Error> {
        let exact = self.version.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let version = exact.filter(|exact| !exact.contains(',')).unwrap_or(&self.version).to_owned();
        let found = Coordinate { group: self.group.clone(), artifact: self.artifact.clone(), version };
        let (classifier, extension) = self.file();
        let is_plain =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte));
        if found.version.is_empty() {
            return Err(wanted.failed(format!("{}:{} has no version", found.group, found.artifact)));
        }
        if !is_plain(&classifier) || !is_plain(&extension) || extension.is_empty() {
            return Err(wanted.failed(format!("{found} has an odd type or classifier")));
        }
        Ok(found)
    }

    fn replaced(&self, properties: &Properties) -> Self {
        let of = |text: &String| properties.replaced(text);
        Self {
            group: of(&self.group),
            artifact: of(&self.artifact),
            version: of(&self.version),
            kind: of(&self.kind),
            classifier: of(&self.classifier),
            scope: of(&self.scope),
            optional: self.optional,
            exclusions: self.exclusions.iter().map(|(group, artifact)| (of(group), of(artifact))).collect(),
        }
    }
}

/// What one POM says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pom {
    pub parent: Option<Coordinate>,
    properties: BTreeMap<String, String>,
    managed: Vec<Dependency>,
    dependencies: Vec<Dependency>,
    moved_to: Option<(String, String, String)>,
}

impl Pom {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // Definitions of entities are refused, and with them texts that grow when they are read.
        let document =
            Document::parse(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())?;
        let project = document.root_element();
        let parent = child(project, "parent").map(|parent| Coordinate {
            group: text_of(parent, "groupId"),
            artifact: text_of(parent, "artifactId"),
            version: text_of(parent, "version"),
        });
        let mut properties = BTreeMap::new();
        for property in child(project, "properties").into_iter().flat_map(|all| all.children()) {
            if property.is_element() {
                let value = property.text().unwrap_or_default().trim();
                properties.insert(property.tag_name().name().to_owned(), value.to_owned());
            }
        }
        let managed = child(project, "dependencyManagement").map(dependencies).unwrap_or_default();
        let moved = child(project, "distributionManagement").and_then(|node| child(node, "relocation"));
        let moved_to = moved
            .map(|node| (text_of(node, "groupId"), text_of(node, "artifactId"), text_of(node, "version")));
        Ok(Self { parent, properties, managed, dependencies: dependencies(project), moved_to })
    }
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

fn text_of(node: Node<'_, '_>, name: &str) -> String {
    let found = node.children().find(|child| child.is_element() && child.tag_name().name() == name);
    found.and_then(|found| found.text().map(str::trim)).unwrap_or_default().to_owned()
}

fn dependencies(node: Node<'_, '_>) -> Vec<Dependency> {
    let element = |node: Node<'_, '_>, name: &str| node.is_element() && node.tag_name().name() == name;
    let lists = node.children().filter(|child| element(*child, "dependencies"));
    let all = lists.flat_map(|list| list.children()).filter(|child| element(*child, "dependency"));
    all.map(|found| {
        let lists = found.children().filter(|child| element(*child, "exclusions"));
        let excluded = lists.flat_map(|list| list.children()).filter(|child| element(*child, "exclusion"));
        Dependency {
            group: text_of(found, "groupId"),
            artifact: text_of(found, "artifactId"),
            version: text_of(found, "version"),
            kind: text_of(found, "type"),
            classifier: text_of(found, "classifier"),
            scope: text_of(found, "scope"),
            optional: text_of(found, "optional") == "true",
            exclusions: excluded
                .map(|node| (text_of(node, "groupId"), text_of(node, "artifactId")))
                .collect(),
        }
    })
    .collect()
}

/// The properties of a POM and its parents.
struct Properties(BTreeMap<String, String>);

impl Properties {
    fn replaced(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..DEEPEST {
            let Some(start) = text.find("${") else { break };
            let Some(end) = text[start..].find('}').map(|end| start + end) else { break };
            let Some(value) = self.0.get(&text[start + 2..end]) else { break };
            text.replace_range(start..=end, value);
            if text.len() > LONGEST {
                break;
            }
        }
        text
    }
}

/// What a POM means together with its parents.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub dependencies: Vec<Dependency>,
    managed: BTreeMap<Key, Dependency>,
    pub moved_to: Option<Coordinate>,
}

impl Model {
    /// Out of a POM and its parents, nearest first; and the POMs that its management imports.
    pub(crate) fn of(coordinate: &Coordinate, family: &[Pom]) -> (Self, Vec<Coordinate>) {
        let mut properties = BTreeMap::new();
        for pom in family.iter().rev() {
            properties.extend(pom.properties.clone());
        }
        let Coordinate { group, artifact, version } = coordinate;
        for prefix in ["project.", "pom.", ""] {
            for (name, value) in [("groupId", group), ("artifactId", artifact), ("version", version)] {
                properties.insert(format!("{prefix}{name}"), value.clone());
            }
        }
        if let Some(parent) = family.first().and_then(|pom| pom.parent.as_ref()) {
            for (name, value) in
                [("groupId", &parent.group), ("artifactId", &parent.artifact), ("version", &parent.version)]
            {
                properties.insert(format!("project.parent.{name}"), value.clone());
                properties.insert(format!("parent.{name}"), value.clone());
            }
        }
        let properties = Properties(properties);
        let mut model = Self::default();
        let (mut imports, mut known) = (Vec::new(), std::collections::BTreeSet::new());
        for pom in family {
            for managed in &pom.managed {
                let managed = managed.replaced(&properties);
                if managed.scope == "import" && managed.kind == "pom" {
                    let Dependency { group, artifact, version, .. } = managed;
                    imports.push(Coordinate { group, artifact, version });
                } else {
                    model.managed.entry(managed.key()).or_insert(managed);
                }
            }
            for dependency in &pom.dependencies {
                let dependency = dependency.replaced(&properties);
                if known.insert(dependency.key()) {
                    model.dependencies.push(dependency);
                }
            }
        }
        model.moved_to = family.first().and_then(|pom| pom.moved_to.as_ref()).map(
            |(to_group, to_artifact, to_version)| {
                let or = |text: &String, own: &String| {
                    if text.is_empty() { own.clone() } else { properties.replaced(text) }
                };
                Coordinate {
                    group: or(to_group, group),
                    artifact: or(to_artifact, artifact),
                    version: or(to_version, version),
                }
            },
        );
        model.moved_to = model.moved_to.filter(|to| to != coordinate);
        (model, imports)
    }

    /// Adds what an imported POM manages; what is managed already stays.
    pub(crate) fn import(&mut self, imported: &Self) {
        for (key, managed) in &imported.managed {
            self.managed.entry(key.clone()).or_insert_with(|| managed.clone());
        }
    }

    /// Completes the dependencies with what is managed.
    pub(crate) fn manage(&mut self) {
        for dependency in &mut self.dependencies {
            let Some(managed) = self.managed.get(&dependency.key()) else { continue };
            for (own, other) in
                [(&mut dependency.version, &managed.version), (&mut dependency.scope, &managed.scope)]
            {
                if own.is_empty() {
                    own.clone_from(other);
                }
            }
            dependency.exclusions.extend(managed.exclusions.iter().cloned());
        }
    }
}
