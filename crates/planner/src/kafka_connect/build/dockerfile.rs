//! The Dockerfile of an image with plug-ins. Its first stage is the operator's own image, whose program `plug-in-fetcher` brings the files,
//! so that the image of Kafka Connect needs no tool for that; its second stage adds one layer to that image and changes nothing
//! else of it, such as its user.

use std::fmt::Write as _;

use api::connect::PLUG_INS_FOLDER;

use super::reference::with_registry;

/// The program in the operator's image.
const PROGRAM: &str = "/plug-in-fetcher";
/// Where the files are in the first stage.
const FETCHED: &str = "/plug-ins";
/// The name of the first stage.
const STAGE: &str = "plug-ins";

/// A file of a plug-in, as the program is told of it. What stands here was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetch {
    /// What is done: a command of the program.
    pub command: &'static str,
    /// The folder of the plug-in.
    pub plug_in: String,
    /// The folder of the file within that.
    pub folder: String,
    /// More arguments, without their values' being escaped.
    pub arguments: Vec<(&'static str, String)>,
    /// Arguments without a value.
    pub switches: Vec<&'static str>,
}

/// The text. `operator` and `base` are names of images.
pub(crate) fn text(operator: &str, base: &str, fetches: &[Fetch]) -> String {
    let (operator, base) = (with_registry(operator), with_registry(base));
    // Without any file there is the folder all the same.
    let mut text = format!("FROM {operator} AS {STAGE}\nUSER 0:0\nWORKDIR {FETCHED}\n");
    for fetch in fetches {
        let words: Vec<String> = words(fetch).iter().map(|word| quoted(word)).collect();
        // Writing into a String cannot fail.
        let _ = writeln!(text, "RUN [{}]", words.join(", "));
    }
    let _ = write!(text, "FROM {base}\nCOPY --from={STAGE} {FETCHED}/ {PLUG_INS_FOLDER}/\n");
    text
}

fn words(fetch: &Fetch) -> Vec<String> {
    let mut words = vec![
        PROGRAM.to_owned(),
        fetch.command.to_owned(),
        format!("--to={FETCHED}/{}/{}", fetch.plug_in, fetch.folder),
    ];
    words.extend(fetch.arguments.iter().map(|(name, value)| format!("--{name}={value}")));
    words.extend(fetch.switches.iter().map(|name| format!("--{name}")));
    words
}

/// A word of an instruction in its JSON form, which no shell reads. Everything is escaped that could mean something to a tool that reads
/// Dockerfiles line by line: quotation marks, backslashes, dollar signs, ends of lines, beginnings of comments and here-documents.
fn quoted(word: &str) -> String {
    let mut text = String::with_capacity(word.len() + 2);
    text.push('"');
    let mut units = [0; 2];
    for character in word.chars() {
        if character.is_ascii_alphanumeric() || "-._/:@+=,?&%~".contains(character) {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fetch(value: &str) -> Fetch {
        Fetch {
            command: "file",
            plug_in: "a".to_owned(),
            folder: "0".to_owned(),
            arguments: vec![("name", value.to_owned())],
            switches: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_word(value in ".*") {
            let text = text("o/o:1", "b/b:1", &[fetch(&value)]);
            let lines: Vec<&str> = text.lines().collect();
            prop_assert_eq!(lines.len(), 6, "{}", text);
            let words = lines[3].strip_prefix("RUN ").unwrap();
            prop_assert!(words.is_ascii() && !words.contains(['$', '#', '<', '\'']));
            let words: Vec<String> = serde_json::from_str(words).unwrap();
            prop_assert_eq!(words.len(), 4);
            prop_assert_eq!(&words[3], &format!("--name={value}"));
        }
    }
}
