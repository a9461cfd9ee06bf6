//! `${provider:path:key}` in a value of the configuration file, as Kafka's configuration providers read it.
//!
//! Passwords and certificates stand in mounted Secrets; the file only says where. The providers need not be declared: the names
//! that Strimzi declares, and those of Kafka's documentation, are known.

use std::io::Read;
use std::path::{Path, PathBuf};

use api::agent::JAAS_PLACEHOLDER;
use api::properties;

/// What a file may have, as a Secret may. Bytes.
const LONGEST: u64 = 1024 * 1024;

/// Files that one pattern may take.
const MOST_FILES: usize = 100;

/// A placeholder without a value. Never says a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlaceholderError {
    /// The variable is not set.
    #[error("find the variable {0}: it is not set")]
    Variable(String),
    /// The file cannot be read.
    #[error("read {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The file of properties has no such name.
    #[error("find the name '{key}' in {path}: it is not there")]
    Key {
        /// The file.
        path: String,
        /// The name that is missing.
        key: String,
    },
    /// No file of the folder matches.
    #[error("find a file that ends in '{suffix}' in {path}: there is none")]
    NoFile {
        /// The folder.
        path: String,
        /// How the names of its files were to end.
        suffix: String,
    },
    /// The provider is not one of ours.
    #[error(
        "use the provider '{0}': write strimzienv, strimzifile or strimzidir; Secrets are mounted as files and read with strimzidir"
    )]
    Provider(String),
    /// The placeholder is not closed or lacks a part.
    #[error(
        "read a placeholder: write ${{strimzienv:NAME}}, ${{strimzifile:FILE:NAME}} or ${{strimzidir:FOLDER:FILE}}"
    )]
    Malformed,
}

/// The value with every placeholder replaced.
pub(crate) fn resolve(value: &str) -> Result<String, PlaceholderError> {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let end = from.find('}').ok_or(PlaceholderError::Malformed)?;
        let (placeholder, after) = from.split_at(end + 1);
        let inside = placeholder.get(2..end).ok_or(PlaceholderError::Malformed)?;
        out.push_str(&look_up(inside)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn look_up(inside: &str) -> Result<String, PlaceholderError> {
    let (provider, rest) = inside.split_once(':').ok_or(PlaceholderError::Malformed)?;
    match provider {
        // A path is allowed before the name, and means nothing.
        "strimzienv" | "env" => {
            let name = rest.rsplit(':').next().unwrap_or(rest);
            std::env::var(name).map_err(|_| PlaceholderError::Variable(name.to_owned()))
        }
        "strimzifile" | "file" => {
            let (path, key) = rest.rsplit_once(':').ok_or(PlaceholderError::Malformed)?;
            let text = read(Path::new(path))?;
            let found = properties::parse(&text).ok().and_then(|mut all| all.remove(key));
            found.ok_or_else(|| PlaceholderError::Key { path: path.to_owned(), key: key.to_owned() })
        }
        "strimzidir" | "dir" | "directory" => {
            let (path, file) = rest.rsplit_once(':').ok_or(PlaceholderError::Malformed)?;
            match file.strip_prefix('*') {
                Some(suffix) => all_files(Path::new(path), suffix),
                None => read(&Path::new(path).join(file)),
            }
        }
        // As the cluster operator writes it: a file for between the quotation marks of a login configuration.
        JAAS_PLACEHOLDER => {
            let (path, file) = rest.rsplit_once(':').ok_or(PlaceholderError::Malformed)?;
            Ok(in_jaas_quotes(read(&Path::new(path).join(file))?.trim_end_matches(['\n', '\r'])))
        }
        other => Err(PlaceholderError::Provider(other.to_owned())),
    }
}

/// A password may have quotation marks. What was written with an editor has a line end that is not part of it.
fn in_jaas_quotes(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The texts of all files of a folder whose names end so, by name: several trusted certificates.
fn all_files(folder: &Path, suffix: &str) -> Result<String, PlaceholderError> {
    let failed = |error: std::io::Error| file_error(folder, &error);
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)?.take(MOST_FILES) {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(suffix) && !name.starts_with('.') {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(PlaceholderError::NoFile {
            path: folder.display().to_string(),
            suffix: suffix.to_owned(),
        });
    }
    files.sort();
    let mut text = String::new();
    for file in files {
        text.push_str(read(&file)?.trim_end());
        text.push('\n');
    }
    Ok(text)
}

/// A text file of bounded length.
pub(crate) fn read(path: &Path) -> Result<String, PlaceholderError> {
    let mut text = String::new();
    let done = std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    done.map_err(|error| file_error(path, &error))?;
    Ok(text)
}

fn file_error(path: &Path, error: &std::io::Error) -> PlaceholderError {
    PlaceholderError::File { path: path.display().to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_from_files_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("password"), "s3c}ret").unwrap();
        std::fs::write(path("b.crt"), "B\n\n").unwrap();
        std::fs::write(path("a.crt"), "A\n").unwrap();
        std::fs::write(path("all.properties"), "user=me\n").unwrap();
        let at = folder.path().display();
        let read = |text: String| resolve(&text).unwrap();
        assert_eq!(read(format!("x \"${{strimzidir:{at}:password}}\";")), "x \"s3c}ret\";");
        assert_eq!(read(format!("${{strimzidir:{at}:*.crt}}")), "A\nB\n");
        assert_eq!(read(format!("${{strimzifile:{at}/all.properties:user}}-")), "me-");
        assert_eq!(read("no $placeholder {here}".to_owned()), "no $placeholder {here}");
    }

    #[test]
    fn a_password_with_quotation_marks_is_what_the_login_reads() {
        let folder = tempfile::tempdir().unwrap();
        let password = "a\"b\\c;' d";
        std::fs::write(folder.path().join("password"), format!("{password}\n")).unwrap();
        let at = folder.path().display();
        let line =
            resolve(&format!("m required username=\"u\" password=\"${{kastellanjaas:{at}:password}}\";"))
                .unwrap();
        assert_eq!(operator_runtime::jaas::jaas_option(&line, "password").as_deref(), Some(password));
    }

    #[test]
    fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        for (text, part) in [
            ("${strimzienv:KASTELLAN_NO_SUCH}".to_owned(), "KASTELLAN_NO_SUCH"),
            (format!("${{strimzidir:{at}:password}}"), "/password"),
            (format!("${{strimzidir:{at}:*.crt}}"), "'.crt'"),
            ("${strimzisecrets:ns/name:key}".to_owned(), "strimzisecrets"),
            ("${open".to_owned(), "write ${strimzienv:NAME}"),
            ("${env}".to_owned(), "write ${strimzienv:NAME}"),
        ] {
            let error = resolve(&text).unwrap_err().to_string();
            assert!(error.contains(part), "{part} is missing in {error}");
        }
    }
}
