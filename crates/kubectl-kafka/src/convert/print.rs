//! Resources and notes as text.

use std::fmt::Write as _;

use super::notes::{Note, Weight};
use super::resources::{Converted, Resource};
use super::{Conversion, Outcome, OutcomeKind};

/// The columns of a comment.
const WIDTH: usize = 118;

/// Every resource as YAML, with what is to be said of them in comments before the first one of each document.
///
/// # Errors
/// When a resource cannot be written.
pub fn text(conversion: &Conversion) -> Result<String, serde_saphyr::ser::Error> {
    let mut text = String::new();
    for (subject, converted) in conversion.converted() {
        let mut before = comment(subject, converted);
        for resource in &converted.resources {
            if !text.is_empty() {
                text.push_str("---\n");
            }
            text.push_str(&before);
            before.clear();
            text.push_str(&yaml(resource)?);
        }
    }
    Ok(text)
}

fn yaml(resource: &Resource) -> Result<String, serde_saphyr::ser::Error> {
    match resource {
        Resource::Kafka(kafka) => serde_saphyr::to_string(kafka.as_ref()),
        Resource::Pool(pool) => serde_saphyr::to_string(pool.as_ref()),
        Resource::Topic(topic) => serde_saphyr::to_string(topic.as_ref()),
        Resource::User(user) => serde_saphyr::to_string(user.as_ref()),
    }
}

/// What is to be said of a document, as comments.
pub fn comment(subject: &str, converted: &Converted) -> String {
    let mut text = String::new();
    wrapped(&mut text, "# ", &format!("Converted from {subject}."));
    for (weight, title) in [
        (Weight::Lost, "Not expressed here, for you to look at:"),
        (Weight::Changed, "Expressed in another way:"),
    ] {
        let notes: Vec<&Note> = converted.notes.iter().filter(|note| note.weight == weight).collect();
        if !notes.is_empty() {
            wrapped(&mut text, "# ", title);
        }
        for note in notes {
            wrapped(&mut text, "#   ", &line(note));
        }
    }
    text
}

/// What became of all documents, for a person at a terminal.
pub fn summary(conversion: &Conversion) -> String {
    let mut text = String::new();
    for Outcome { subject, kind } in &conversion.documents {
        match kind {
            OutcomeKind::Converted(converted) => {
                let lost = converted.notes.iter().filter(|note| note.weight == Weight::Lost);
                for note in lost {
                    let _ = writeln!(text, "{subject}: not expressed: {}", line(note));
                }
                for note in converted.notes.iter().filter(|note| note.weight == Weight::Changed) {
                    let _ = writeln!(text, "{subject}: {}", line(note));
                }
            }
            OutcomeKind::LeftOut(why) => {
                let _ = writeln!(text, "{}: left out: {why}", plain(subject));
            }
            OutcomeKind::Failed(problems) => {
                for problem in problems {
                    let _ = writeln!(text, "{}: not converted: {}", plain(subject), plain(problem));
                }
            }
        }
    }
    let count = conversion.resources().count();
    let lost = conversion
        .converted()
        .flat_map(|(_, converted)| &converted.notes)
        .filter(|note| note.weight == Weight::Lost)
        .count();
    let failed =
        conversion.documents.iter().filter(|outcome| matches!(outcome.kind, OutcomeKind::Failed(_))).count();
    let _ = writeln!(text, "resources: {count}; not expressed: {lost}; documents not converted: {failed}");
    text
}

/// A note on one line.
fn line(note: &Note) -> String {
    let value = note.value.as_ref().map(|value| format!(" = {value}")).unwrap_or_default();
    plain(&format!("{}{value}: {}", note.path, note.text))
}

/// Without line ends and control characters: nothing of a manifest ends a comment.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}') { ' ' } else { c })
        .collect()
}

/// Adds a text in lines that begin in the same way.
fn wrapped(text: &mut String, start: &str, words: &str) {
    let mut line = start.trim_end().to_owned();
    let mut first = true;
    for word in plain(words).split_whitespace() {
        let indent = if first { &start[1..] } else { " " };
        if !first && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = format!("{start}  {word}");
            continue;
        }
        line.push_str(indent);
        line.push_str(word);
        first = false;
    }
    text.push_str(&line);
    text.push('\n');
}
