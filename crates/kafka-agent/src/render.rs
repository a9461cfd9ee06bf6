//! Resolves the placeholders of `server.config`, so that Kafka needs no configuration provider of ours.

use std::path::Path;

use crate::properties;

/// A placeholder could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The environment variable is not set.
    #[error("{placeholder} in server.config: the container has no environment variable {name}")]
    NoVariable {
        /// The placeholder as written.
        placeholder: String,
        /// The variable.
        name: String,
    },
    /// The file is not readable.
    #[error("{placeholder} in server.config: cannot read {path}: {reason}")]
    NoFile {
        /// The placeholder as written.
        placeholder: String,
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The file does not have the key.
    #[error("{placeholder} in server.config: {path} has no key {key}; it has: {present}")]
    NoKey {
        /// The placeholder as written.
        placeholder: String,
        /// The file.
        path: String,
        /// The key.
        key: String,
        /// The keys it has.
        present: String,
    },
    /// The placeholder is not of the form it has to have.
    #[error("{placeholder} in server.config must have the form {form}")]
    Malformed {
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

/// Replaces `${strimzienv:VAR}`, `${strimzidir:DIR:FILE}` and `${strimzifile:FILE:KEY}` in all lines but comments.
/// Other placeholders stay for the configuration providers that the user configured.
pub fn render(text: &str, source: &dyn Source) -> Result<String, RenderError> {
    let mut rendered = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with(['#', '!']) {
            rendered.push_str(line);
            continue;
        }
        let mut rest = line;
        while let Some(start) = rest.find("${strimzi") {
            let Some(length) = rest[start..].find('}') else { break };
            let placeholder = &rest[start..=start + length];
            rendered.push_str(&rest[..start]);
            match resolve(placeholder, source)? {
                Some(value) => rendered.push_str(&properties::escape_value(&value)),
                None => rendered.push_str(placeholder),
            }
            rest = &rest[start + length + 1..];
        }
        rendered.push_str(rest);
    }
    Ok(rendered)
}

fn resolve(placeholder: &str, source: &dyn Source) -> Result<Option<String>, RenderError> {
    let inner = &placeholder[2..placeholder.len() - 1];
    let Some((provider, argument)) = inner.split_once(':') else { return Ok(None) };
    let read = |path: &Path| {
        source.file(path).map_err(|reason| RenderError::NoFile {
            placeholder: placeholder.to_owned(),
            path: path.display().to_string(),
            reason,
        })
    };
    let malformed = |form| RenderError::Malformed { placeholder: placeholder.to_owned(), form };
    match provider {
        "strimzienv" => source.variable(argument).map(Some).ok_or_else(|| RenderError::NoVariable {
            placeholder: placeholder.to_owned(),
            name: argument.to_owned(),
        }),
        "strimzidir" => {
            let (directory, file) =
                argument.rsplit_once(':').ok_or_else(|| malformed("${strimzidir:DIRECTORY:FILE}"))?;
            Ok(Some(read(&Path::new(directory).join(file))?))
        }
        "strimzifile" => {
            let (file, key) =
                argument.rsplit_once(':').ok_or_else(|| malformed("${strimzifile:FILE:KEY}"))?;
            let mut values = properties::parse(&read(Path::new(file))?);
            match values.remove(key) {
                Some(value) => Ok(Some(value)),
                None => Err(RenderError::NoKey {
                    placeholder: placeholder.to_owned(),
                    path: file.to_owned(),
                    key: key.to_owned(),
                    present: values.into_keys().collect::<Vec<_>>().join(", "),
                }),
            }
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
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
                _ => Err("no such file".to_owned()),
            }
        }
    }

    #[test]
    fn the_three_placeholders_are_replaced_and_others_left() {
        let text = "# ${strimzienv:NO}\nbroker.rack=${strimzidir:/opt/kafka/init:rack.id}\nr=${strimzienv:RACK}\n\
                    a=E://${strimzifile:/opt/kafka/init/external.address:nodeport.default.address}:9094,\
                    X://${strimzienv:RACK}:1\no=${other:x}";
        let expected = "# ${strimzienv:NO}\nbroker.rack=zone-a\nr=west\\\\1\na=E://1.2.3.4:9094,X://west\\\\1:1\no=${other:x}";
        assert_eq!(render(text, &Fixed).unwrap(), expected);
    }

    #[test]
    fn what_is_missing_is_named() {
        let message = |text| render(text, &Fixed).unwrap_err().to_string();
        assert!(message("a=${strimzienv:ZONE}").contains("no environment variable ZONE"));
        assert!(message("a=${strimzidir:/x:y}").contains("cannot read /x/y"));
        let key = message("a=${strimzifile:/opt/kafka/init/external.address:k}");
        assert!(key.contains("no key k; it has: nodeport.default.address"), "{key}");
        assert!(message("a=${strimzifile:nokey}").contains("must have the form"));
    }
}
