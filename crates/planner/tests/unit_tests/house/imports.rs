//! Which files of a crate import each other, read from the text of their `use` declarations and paths.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// A module or an item, as names from the root of its crate down.
pub(super) type Names = Vec<String>;

/// The files of one crate, without its tests.
struct Sources {
    files: BTreeMap<Names, Source>,
}

struct Source {
    file: PathBuf,
    /// Every path that the file names.
    named: Vec<Names>,
    /// Names that the file makes public in its own name, and where they come from.
    passed_on: BTreeMap<String, Names>,
}

/// The import circles of the crate whose `src` folder this is, each as the files on the way round. What a module and the
/// modules inside it import from each other is no circle: they are one subject in several files.
pub(super) fn circles(src: &Path) -> Vec<Vec<PathBuf>> {
    let sources = Sources::read(src);
    let edges: BTreeMap<&Names, BTreeSet<&Names>> =
        sources.files.keys().map(|module| (module, sources.imports(module))).collect();
    let mut found: BTreeMap<BTreeSet<&Names>, Vec<PathBuf>> = BTreeMap::new();
    for start in sources.files.keys() {
        let Some(way) = way_round(start, &edges) else { continue };
        let files = way.iter().map(|module| sources.files[*module].file.clone()).collect();
        found.entry(way.into_iter().collect()).or_insert(files);
    }
    found.into_values().collect()
}

/// Which module imports which other one, in the crate whose `src` folder this is.
pub(super) fn edges(src: &Path) -> Vec<(Names, Names)> {
    let sources = Sources::read(src);
    let all = sources
        .files
        .keys()
        .flat_map(|from| sources.imports(from).into_iter().map(move |to| (from.clone(), to.clone())));
    all.collect()
}

/// The shortest way from a module along imports back to itself.
fn way_round<'a>(
    start: &'a Names,
    edges: &BTreeMap<&'a Names, BTreeSet<&'a Names>>,
) -> Option<Vec<&'a Names>> {
    let mut came_from: BTreeMap<&Names, &'a Names> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(module) = queue.pop_front() {
        for next in &edges[module] {
            if *next == start {
                let mut way = vec![module];
                while way.last().is_some_and(|last| *last != start) {
                    way.push(came_from[way[way.len() - 1]]);
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(*next) {
                came_from.insert(next, module);
                queue.push_back(next);
            }
        }
    }
    None
}

impl Sources {
    fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        collect(src, &[], &mut files);
        if files.contains_key(&vec!["main".to_owned()]) {
            let main = files.remove(&vec!["main".to_owned()]);
            // Beside a library the binary is a crate of its own.
            if let (false, Some(main)) = (files.contains_key(&Names::new()), main) {
                files.insert(Names::new(), main);
            }
        }
        let texts: Vec<(Names, PathBuf, String)> =
            files.into_iter().map(|(module, file)| (module, file.clone(), code_of(&file))).collect();
        let modules: BTreeSet<Names> = texts.iter().map(|(module, _, _)| module.clone()).collect();
        let files = texts.into_iter().map(|(module, file, text)| {
            let source = Source::parse(&module, &modules, file, &text);
            (module, source)
        });
        Self { files: files.collect() }
    }

    /// The other modules that a module imports from, without those that it is in or that are in it.
    fn imports(&self, module: &Names) -> BTreeSet<&Names> {
        let mut found = BTreeSet::new();
        for named in &self.files[module].named {
            let target = self.home(module, named, 0);
            let Some((target, _)) = self.files.get_key_value(&target) else { continue };
            if !target.starts_with(module) && !module.starts_with(target) {
                found.insert(target);
            }
        }
        found
    }

    /// The module in which a path ends, seen from a module: what a module around it passes on counts as imported from where it
    /// is defined.
    fn home(&self, from: &Names, named: &[String], depth: usize) -> Names {
        let known = (0..=named.len()).rev().find(|length| self.files.contains_key(&named[..*length]));
        let home = named[..known.unwrap_or(0)].to_vec();
        let item = named.get(home.len());
        let passed_on = item.and_then(|item| self.files.get(&home)?.passed_on.get(item));
        match passed_on {
            Some(origin) if from.starts_with(&home) && depth < 8 => self.home(from, origin, depth + 1),
            _ => home,
        }
    }
}

fn collect(folder: &Path, module: &[String], files: &mut BTreeMap<Names, PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let inside = || module.iter().cloned().chain([stem.clone()]).collect::<Names>();
        if path.is_dir() {
            // Each file in `bin` is a crate of its own.
            if stem != "bin" {
                collect(&path, &inside(), files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            match stem.as_str() {
                "lib" | "mod" => drop(files.insert(module.to_vec(), path)),
                tests if tests == "tests" || tests.ends_with("_tests") => {}
                _ => drop(files.insert(inside(), path)),
            }
        }
    }
}

/// The text of a file without comments, texts in quotes and the tests at its end.
fn code_of(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let mut code = String::new();
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(start) = rest.strip_prefix('r').map(|rest| rest.trim_start_matches('#'))
            && start.starts_with('"')
            && !code.ends_with(|c: char| c.is_alphanumeric() || c == '_')
        {
            let opening = rest.len() - start.len() + 1;
            let end = format!("\"{}", "#".repeat(opening - 2));
            rest[opening..].find(&end).map_or(rest.len(), |at| opening + at + end.len())
        } else if c == '"' {
            end_of_text(rest)
        } else if rest.starts_with("'\"'") {
            3
        } else if let Some(escaped) = rest.strip_prefix("'\\") {
            escaped.char_indices().skip(1).find(|(_, c)| *c == '\'').map_or(rest.len(), |(at, _)| 2 + at + 1)
        } else {
            code.push(c);
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    let tests = code.find("#[cfg(test)]\nmod tests {");
    code.truncate(tests.unwrap_or(code.len()));
    code
}

/// How long a text in quotes is at the start of some code.
fn end_of_text(code: &str) -> usize {
    let mut escaped = false;
    for (at, c) in code.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    code.len()
}

impl Source {
    fn parse(module: &Names, modules: &BTreeSet<Names>, file: PathBuf, text: &str) -> Self {
        let words = words(text);
        let mut source = Self { file, named: Vec::new(), passed_on: BTreeMap::new() };
        let mut at = 0;
        while at < words.len() {
            // `impl Trait + use<T>` imports nothing.
            if words[at] == "use" && words.get(at + 1).is_some_and(|next| next != "<") {
                let public = at > 0 && (words[at - 1] == "pub" || words[at - 1] == ")");
                let mut leaves = Vec::new();
                at = leaves_of(&words, at + 1, &Names::new(), &mut leaves);
                for (leaf, name) in leaves {
                    let Some(named) = absolute(module, modules, &leaf, true) else { continue };
                    if public {
                        source.passed_on.insert(name, named.clone());
                    }
                    source.named.push(named);
                }
            } else if matches!(words[at].as_str(), "crate" | "super" | "self")
                && words.get(at + 1).is_some_and(|next| next == "::")
                && (at == 0 || words[at - 1] != "::" && words[at - 1] != "$")
            {
                let mut path = vec![words[at].clone()];
                while words.get(at + 1).is_some_and(|next| next == "::")
                    && words.get(at + 2).is_some_and(|next| is_name(next))
                {
                    path.push(words[at + 2].clone());
                    at += 2;
                }
                source.named.extend(absolute(module, modules, &path, false));
                at += 1;
            } else {
                at += 1;
            }
        }
        source
    }
}

fn is_name(word: &str) -> bool {
    word.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_')
}

/// Names, double colons and single signs.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c.is_alphanumeric() || c == '_' {
            let mut word = c.to_string();
            while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                word.push(c);
            }
            words.push(word);
        } else if c == ':' && rest.next_if_eq(&':').is_some() {
            words.push("::".to_owned());
        } else if !c.is_whitespace() {
            words.push(c.to_string());
        }
    }
    words
}

/// The paths of a `use` declaration from a position on, each with the name that it gets; returns the position behind it.
fn leaves_of(words: &[String], start: usize, before: &Names, leaves: &mut Vec<(Names, String)>) -> usize {
    let (mut at, mut path) = (start, before.clone());
    let mut renamed = None;
    while at < words.len() {
        match words[at].as_str() {
            "{" => {
                at += 1;
                while words.get(at).is_some_and(|word| word != "}") {
                    at = leaves_of(words, at, &path, leaves);
                    if words.get(at).is_some_and(|word| word == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            ";" | "," | "}" => break,
            "as" => {
                renamed = words.get(at + 1).cloned();
                at += 2;
            }
            "::" | "*" => at += 1,
            name => {
                path.push(name.to_owned());
                at += 1;
            }
        }
    }
    // `use a::{self, b}` names `a`.
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = renamed.or_else(|| path.last().cloned()).unwrap_or_default();
    leaves.push((path, name));
    at
}

/// A path from the root of the crate; none for a path into another crate.
fn absolute(module: &Names, modules: &BTreeSet<Names>, path: &Names, declared: bool) -> Option<Names> {
    let mut rest = path.as_slice();
    let mut base = match rest.first()?.as_str() {
        "crate" => Names::new(),
        "self" | "super" => module.clone(),
        child => {
            let inside: Names = module.iter().cloned().chain([child.to_owned()]).collect();
            return (declared && modules.contains(&inside))
                .then(|| module.iter().chain(path).cloned().collect());
        }
    };
    if rest[0] != "super" {
        rest = &rest[1..];
    }
    while rest.first().is_some_and(|name| name == "super") {
        base.pop();
        rest = &rest[1..];
    }
    base.extend(rest.iter().cloned());
    Some(base)
}
