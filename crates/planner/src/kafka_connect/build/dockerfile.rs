//! What an image with plug-ins is made of: the list of what the program `plug-in-fetcher` of the operator's image brings into a folder, so
//! that the image of Kafka Connect needs no tool for that, and a Dockerfile that adds this folder as one layer to that image and
//! changes nothing else of it, such as its user.

use api::connect::PLUG_INS_FOLDER;

use super::reference::with_registry;

/// The program in the operator's image.
pub(crate) const PROGRAM: &str = "/plug-in-fetcher";
/// Its command for a list.
pub(crate) const ALL: &str = "all";
/// Where the files are put, and built from.
pub(crate) const FETCHED: &str = "/plug-ins";

/// A file of a plug-in, as the program is told of it. What stands here was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetch {
    /// What is done: a command of the program.
    pub command: &'static str,
    /// The folder of the plug-in.
    pub plug_in: String,
    /// The folder of the file within that.
    pub folder: String,
    /// More arguments.
    pub arguments: Vec<(&'static str, String)>,
    /// Arguments without a value.
    pub switches: Vec<&'static str>,
}

/// The Dockerfile. `base` is the name of an image.
pub(crate) fn text(base: &str) -> String {
    // Without any file there is the folder all the same.
    format!("FROM {}\nCOPY . {PLUG_INS_FOLDER}/\n", with_registry(base))
}

/// The list, a line for each file.
pub(crate) fn list(fetches: &[Fetch]) -> String {
    let lines: Vec<String> =
        fetches.iter().map(|fetch| serde_json::Value::from(words(fetch)).to_string()).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

/// The words of the command for a file.
pub(crate) fn words(fetch: &Fetch) -> Vec<String> {
    let mut words =
        vec![fetch.command.to_owned(), format!("--to={FETCHED}/{}/{}", fetch.plug_in, fetch.folder)];
    words.extend(fetch.arguments.iter().map(|(name, value)| format!("--{name}={value}")));
    words.extend(fetch.switches.iter().map(|name| format!("--{name}")));
    words
}
