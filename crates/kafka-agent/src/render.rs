//! Resolves the placeholders of `server.config` and of a worker's configuration, so that Kafka needs no configuration provider of ours.
//!
//! Files and variables hold passwords and keys: no error says anything of their content.

use std::path::{Component, Path};

use api::agent::container;

use crate::properties::{self, Malformed, Properties};

/// Folders below which placeholders find files: those of users' volumes, and what the agent itself found out. Other folders hold keys of the
/// node and its token, which are no part of anybody's options.
pub const FOLDERS: [&str; 3] = [container::USERS, container::KUBERNETES_NODE, container::CLIENTS];

/// The shortest resolved value that is taken out of texts of others: shorter ones are no secrets, and are everywhere.
const SHORTEST_SECRET: usize = 3;

/// A placeholder could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The file as a whole is not readable.
    #[error("cannot read {file}: {source}")]
    Text {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        source: Malformed,
    },
    /// The environment variable is not set.
    #[error("{placeholder} in {file}: the container has no environment variable {name}")]
    NoVariable {
        /// The file that it stands in.
        file: &'static str,
        /// The placeholder as written.
        placeholder: String,
        /// The variable.
        name: String,
    },
    /// The file is not readable.
    #[error("{placeholder} in {file}: cannot read {path}: {reason}")]
    NoFile {
        /// The file that it stands in.
        file: &'static str,
        /// The placeholder as written.
        placeholder: String,
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The file is none of those that may be read.
    #[error(
        "{placeholder} in {file}: {path} is not read: mount the volume with the file below /mnt, and name it there"
    )]
    NotThere {
        /// The file with the placeholder.
        file: &'static str,
        /// The placeholder as written.
        placeholder: String,
        /// The file.
        path: String,
    },
    /// The file does not have the key. Its keys are not listed: of a file that holds just a password, the password is one.
    #[error(
        "{placeholder} in {file}: {path} has no key {key} among its {keys}; a file that holds nothing but \
         the value is read with ${{strimzidir:DIRECTORY:FILE}}"
    )]
    NoKey {
        /// The file that it stands in.
        file: &'static str,
        /// The placeholder as written.
        placeholder: String,
        /// The file.
        path: String,
        /// The key.
        key: String,
        /// How many keys it has.
        keys: usize,
    },
    /// The placeholder is not of the form it has to have.
    #[error("{placeholder} in {file} must have the form {form}")]
    Malformed {
        /// The file that it stands in.
        file: &'static str,
        /// The placeholder as written.
        placeholder: String,
        /// What it should look like.
        form: &'static str,
    },
}

/// Where placeholders get their values from.
pub trait Source {
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// The content of a file.
    fn file(&self, path: &Path) -> Result<String, String>;
}

/// Kafka's final configuration.
#[derive(Clone, Default)]
pub struct Rendered {
    /// The options, placeholders resolved.
    pub properties: Properties,
    resolved: Vec<String>,
}

impl Rendered {
    /// A text of another program without the values that placeholders stood for.
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for value in &self.resolved {
            masked = masked.replace(value, "[hidden]");
        }
        masked
    }
}

/// Replaces `${strimzienv:VAR}`, `${strimzidir:DIR:FILE}`, `${strimzifile:FILE:KEY}` and [`api::agent::JAAS_PLACEHOLDER`] in all
/// values. Other placeholders stay for the configuration providers that the user configured. `file` names the text in errors.
pub fn render(file: &'static str, text: &str, source: &dyn Source) -> Result<Rendered, RenderError> {
    let mut rendered = Rendered::default();
    let place = Place { file, source };
    let properties = properties::parse(text).map_err(|source| RenderError::Text { file, source })?;
    for (name, value) in properties.iter() {
        let value = render_value(value, &place, &mut rendered.resolved)?;
        rendered.properties.set(name, value);
    }
    // A value may be a part of another one.
    rendered.resolved.sort_by_key(|value| std::cmp::Reverse(value.len()));
    rendered.resolved.dedup();
    Ok(rendered)
}

/// The file whose placeholders are resolved, and out of what.
struct Place<'a> {
    file: &'static str,
    source: &'a dyn Source,
}

/// How placeholders begin that are resolved here.
const BEGINNINGS: [&str; 2] = ["${strimzi", "${kastellan"];

fn render_value(value: &str, place: &Place<'_>, resolved: &mut Vec<String>) -> Result<String, RenderError> {
    let mut rendered = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = BEGINNINGS.iter().filter_map(|beginning| rest.find(beginning)).min() {
        let Some(length) = rest[start..].find('}') else { break };
        let placeholder = &rest[start..=start + length];
        rendered.push_str(&rest[..start]);
        match resolve(placeholder, place)? {
            Some(value) => {
                rendered.push_str(&value);
                // A file often ends with a line end that is not part of what others print.
                if value.trim().len() >= SHORTEST_SECRET {
                    resolved.push(value.trim().to_owned());
                }
            }
            None => rendered.push_str(placeholder),
        }
        rest = &rest[start + length + 1..];
    }
    rendered.push_str(rest);
    Ok(rendered)
}

/// The password of a file as it stands between the quotation marks of a value in a JAAS configuration. One that was written with
/// an editor has a line end that is not part of it.
pub(crate) fn jaas_password(text: &str) -> String {
    in_jaas_quotes(text.trim_end_matches(['\n', '\r']))
}

/// A text as it stands between the quotation marks of a value in a JAAS configuration.
fn in_jaas_quotes(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn resolve(placeholder: &str, place: &Place<'_>) -> Result<Option<String>, RenderError> {
    let Place { file: in_file, source } = *place;
    let inner = &placeholder[2..placeholder.len() - 1];
    let Some((provider, argument)) = inner.split_once(':') else { return Ok(None) };
    let unreadable = |path: &Path, reason: String| RenderError::NoFile {
        file: in_file,
        placeholder: placeholder.to_owned(),
        path: path.display().to_string(),
        reason,
    };
    let read = |path: &Path| {
        if !is_for_placeholders(path) {
            let (placeholder, path) = (placeholder.to_owned(), path.display().to_string());
            return Err(RenderError::NotThere { file: in_file, placeholder, path });
        }
        source.file(path).map_err(|reason| unreadable(path, reason))
    };
    let malformed =
        |form| RenderError::Malformed { file: in_file, placeholder: placeholder.to_owned(), form };
    match provider {
        "strimzienv" => source.variable(argument).map(Some).ok_or_else(|| RenderError::NoVariable {
            file: in_file,
            placeholder: placeholder.to_owned(),
            name: argument.to_owned(),
        }),
        "strimzidir" => {
            let (directory, file) =
                argument.rsplit_once(':').ok_or_else(|| malformed("${strimzidir:DIRECTORY:FILE}"))?;
            Ok(Some(read(&Path::new(directory).join(file))?))
        }
        api::agent::JAAS_PLACEHOLDER => {
            let (directory, file) =
                argument.rsplit_once(':').ok_or_else(|| malformed("${kastellanjaas:DIRECTORY:FILE}"))?;
            let text = read(&Path::new(directory).join(file))?;
            Ok(Some(jaas_password(&text)))
        }
        "strimzifile" => {
            let (file, key) =
                argument.rsplit_once(':').ok_or_else(|| malformed("${strimzifile:FILE:KEY}"))?;
            let path = Path::new(file);
            let mut values =
                properties::parse(&read(path)?).map_err(|error| unreadable(path, error.to_string()))?;
            match values.remove(key) {
                Some(value) => Ok(Some(value)),
                None => Err(RenderError::NoKey {
                    file: in_file,
                    placeholder: placeholder.to_owned(),
                    path: file.to_owned(),
                    key: key.to_owned(),
                    keys: values.len(),
                }),
            }
        }
        _ => Ok(None),
    }
}

/// Whether placeholders may stand for what is in a file.
fn is_for_placeholders(path: &Path) -> bool {
    let goes_up = path.components().any(|part| part == Component::ParentDir);
    !goes_up && FOLDERS.iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Fixed;

    impl Source for Fixed {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "RACK").then(|| "west\\1".to_owned())
        }
        fn file(&self, path: &Path) -> Result<String, String> {
            match path.to_str() {
                Some("/opt/kafka/init/rack.id") => Ok("zone-a".to_owned()),
                Some("/opt/kafka/init/external.address") => {
                    Ok("nodeport.default.address=1.2.3.4\n".to_owned())
                }
                Some("/mnt/password") => Ok("hunter2 of the database\n".to_owned()),
                Some("/mnt/broken") => Ok("hunter2=\\u00\n".to_owned()),
                _ => Err("no such file".to_owned()),
            }
        }
    }

    #[test]
    fn the_three_placeholders_are_replaced_and_others_left() {
        let text = "# ${strimzienv:NO}\nbroker.rack=${strimzidir:/opt/kafka/init:rack.id}\nr=${strimzienv:RACK}\n\
                    a=E://${strimzifile:/opt/kafka/init/external.address:nodeport.default.address}:9094,\
                    X://${strimzienv:RACK}:1\no=${other:x}";
        let expected = [
            ("broker.rack", "zone-a"),
            ("r", "west\\1"),
            ("a", "E://1.2.3.4:9094,X://west\\1:1"),
            ("o", "${other:x}"),
        ];
        let rendered = render("server.config", text, &Fixed).unwrap();
        assert_eq!(rendered.properties, expected.into_iter().collect());
        assert_eq!(
            rendered.properties.to_text(),
            "broker.rack=zone-a\nr=west\\\\1\na=E://1.2.3.4:9094,X://west\\\\1:1\no=${other:x}\n"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let message = |text| render("server.config", text, &Fixed).err().unwrap().to_string();
        assert!(message("a=${strimzienv:ZONE}").contains("no environment variable ZONE"));
        assert!(message("a=${strimzidir:/mnt/x:y}").contains("cannot read /mnt/x/y"));
        let key = message("a=${strimzifile:/opt/kafka/init/external.address:k}");
        assert!(key.contains("external.address has no key k among its 1;"), "{key}");
        assert!(message("a=${strimzifile:nokey}").contains("must have the form"));
        assert!(message("a=1\nb=\\u1").contains("cannot read server.config: line 2"));
    }

    #[test]
    fn placeholders_lead_to_no_keys_of_the_node() {
        for text in [
            "a=${strimzidir:/opt/kafka/node-certs:p.key}",
            "a=/x:${strimzidir:/var/run/secrets/kubernetes.io/serviceaccount:token}",
            "a=${strimzifile:/mnt/../opt/kafka/node-certs/p.key:k}",
            "a=${strimzidir:/mnt:../opt/kafka/node-certs/p.key}",
            "a=${strimzidir:/mnt:/opt/kafka/node-certs/p.key}",
            "a=${strimzidir:/mntx:y}",
            "a=${strimzidir:mnt:y}",
        ] {
            let why = render("server.config", text, &Any("hunter2".to_owned())).err().unwrap().to_string();
            assert!(why.contains("below /mnt") && !why.contains("hunter2"), "{text}: {why}");
        }
        assert!(render("server.config", "a=${strimzidir:/mnt/a/b:c}", &Any("hunter2".to_owned())).is_ok());
    }

    #[test]
    fn a_password_keeps_its_quotes_in_a_jaas_configuration() {
        let password = r#"a"b\c'd"#;
        let text = "c=M required password=\"${kastellanjaas:/mnt/d:f}\";";
        let rendered = render("kafka-connect.properties", text, &Any(format!("{password}\n"))).unwrap();
        let expected = r#"M required password="a\"b\\c'd";"#;
        assert_eq!(rendered.properties.get("c"), Some(expected));
    }

    #[test]
    fn no_error_says_what_is_in_a_file() {
        let message = |text| render("server.config", text, &Fixed).err().unwrap().to_string();
        let key = message("a=${strimzifile:/mnt/password:password}");
        assert!(key.contains("no key password") && key.contains("${strimzidir:DIRECTORY:FILE}"), "{key}");
        let broken = message("a=${strimzifile:/mnt/broken:password}");
        assert!(broken.contains("/mnt/broken: line 1 has"), "{broken}");
        for message in [key, broken] {
            assert!(!message.contains("hunter2") && !message.contains("database"), "{message}");
        }
    }

    #[test]
    fn what_placeholders_stood_for_is_taken_out_of_texts_of_others() {
        let rendered = render(
            "server.config",
            "a=${strimzidir:/mnt:password}\nb=${strimzidir:/opt/kafka/init:rack.id}",
            &Fixed,
        )
        .unwrap();
        assert_eq!(
            rendered.mask("Invalid value hunter2 of the database for a"),
            "Invalid value [hidden] for a"
        );
    }

    struct Any(String);

    impl Source for Any {
        fn variable(&self, _: &str) -> Option<String> {
            Some(self.0.clone())
        }
        fn file(&self, _: &Path) -> Result<String, String> {
            Ok(self.0.clone())
        }
    }

    proptest! {
        #[test]
        fn a_resolved_value_is_what_java_reads(value in "[ \t\u{c}\n\r=:#!\\\\u$}{ä😀a]{0,12}|\\PC*") {
            let text = "node.id=1\na=X-${strimzienv:V}-Y\nb=${strimzidir:/mnt/d:f}\n";
            let rendered = render("server.config", text, &Any(value.clone())).unwrap().properties;
            let read = properties::parse(&rendered.to_text()).unwrap();
            let around = format!("X-{value}-Y");
            let expected: Properties = [("node.id", "1"), ("a", &around), ("b", &value)].into_iter().collect();
            prop_assert_eq!(&read, &expected);
        }
    }
}
