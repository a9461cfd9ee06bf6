//! The text format of `java.util.Properties`, in which Kafka and Log4j read their settings: the one writer, and a reader that
//! follows Java's letter by letter.
//!
//! Everything that anybody of us writes into such a file is written by [`line`]: what Java reads back is what was meant, whatever
//! characters are in it. Java reads these files as ISO 8859-1, so characters beyond ASCII are written as `\uXXXX`.

use std::fmt::Write as _;

/// A text that Java does not accept either. The line is a number only: the text may hold passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} has \\u without four hexadecimal digits after it; write \\\\u where a backslash and a u are meant"
)]
pub struct Malformed {
    /// Number of the line on which the entry begins, from 1.
    pub line: usize,
}

/// Properties in the order in which their names were first set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(Vec<(String, String)>);

impl Properties {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Takes a value out.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let position = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(position).1)
    }

    /// Sets a value; a value that was there is replaced.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The text that Java, and [`parse`], read back as these properties: one [`line`] for each.
    pub fn to_text(&self) -> String {
        self.iter().map(|(name, value)| line(name, value)).collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        let mut properties = Self::default();
        for (name, value) in entries {
            properties.set(name, value);
        }
        properties
    }
}

/// One line: the name, `=`, the value and the end of the line.
pub fn line(name: &str, value: &str) -> String {
    let mut text = String::with_capacity(name.len() + value.len() + 2);
    add_line(&mut text, name, value);
    text
}

/// Adds a line, as [`line`] makes it, to a text.
pub fn add_line(text: &mut String, name: &str, value: &str) {
    add_name(text, name);
    text.push('=');
    add_value(text, value);
    text.push('\n');
}

/// A name, with everything escaped that would end it or begin a comment.
fn add_name(text: &mut String, name: &str) {
    add_escaped(text, name, |character, _| matches!(character, ' ' | '=' | ':' | '#' | '!'));
}

/// A value, with everything escaped that would end it, and its leading blanks. `=`, `:` and `#` mean nothing in a value
/// and stay as they are, so that placeholders in it remain readable.
fn add_value(text: &mut String, value: &str) {
    add_escaped(text, value, |character, position| character == ' ' && position == 0);
}

fn add_escaped(text: &mut String, word: &str, is_special: impl Fn(char, usize) -> bool) {
    let is_plain = |(position, byte): (usize, u8)| {
        matches!(byte, b' '..=b'~') && byte != b'\\' && !is_special(char::from(byte), position)
    };
    if word.bytes().enumerate().all(is_plain) {
        text.push_str(word);
        return;
    }
    for (position, character) in word.chars().enumerate() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{c}' => text.push_str("\\f"),
            special if is_special(special, position) => {
                text.push('\\');
                text.push(special);
            }
            ' '..='~' => text.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing into a String cannot fail.
                    let _ = write!(text, "\\u{unit:04X}");
                }
            }
        }
    }
}

/// Reads properties as Java does: comments, `=`, `:` or blanks as separators, continued lines, escapes; of two entries with
/// one name the later counts.
pub fn parse(text: &str) -> Result<Properties, Malformed> {
    let mut properties = Properties::default();
    let mut lines = LogicalLines { text: text.chars().peekable(), line: 1, paired: false };
    while let Some((number, line)) = lines.next_line() {
        let (name, value) = split(&line);
        let malformed = Malformed { line: number };
        properties.set(unescape(name).ok_or(malformed)?, unescape(value).ok_or(malformed)?);
    }
    Ok(properties)
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{c}')
}

/// Joins continued lines and leaves out comments and empty lines.
struct LogicalLines<'a> {
    text: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
    /// Whether the latest line end was `\r\n`.
    paired: bool,
}

impl LogicalLines<'_> {
    /// The next character, with each of the three line ends as `\n`.
    fn next_character(&mut self) -> Option<char> {
        let character = self.text.next()?;
        let paired = character == '\r' && self.text.peek() == Some(&'\n');
        if paired {
            self.text.next();
        }
        if matches!(character, '\r' | '\n') {
            self.line += 1;
            self.paired = paired;
            return Some('\n');
        }
        Some(character)
    }

    /// The number of the line on which the next entry begins, and its text.
    fn next_line(&mut self) -> Option<(usize, Vec<char>)> {
        let mut entry = Vec::new();
        let mut first_line = self.line;
        let mut skips_blanks = true;
        // An empty line after a backslash ends the entry; before an entry empty lines mean nothing.
        let mut continued = false;
        let mut open_escape = false;
        loop {
            let line = self.line;
            let Some(character) = self.next_character() else {
                if open_escape {
                    entry.pop();
                }
                // Like Java, which takes a lone backslash at the end of the text for an entry without a name.
                return (!entry.is_empty() || open_escape).then_some((first_line, entry));
            };
            if skips_blanks {
                if is_blank(character) || (!continued && character == '\n') {
                    continue;
                }
                skips_blanks = false;
                continued = false;
            }
            if entry.is_empty() {
                first_line = line;
                if matches!(character, '#' | '!') {
                    while self.next_character().is_some_and(|character| character != '\n') {}
                    skips_blanks = true;
                    continue;
                }
            }
            if character != '\n' {
                entry.push(character);
                open_escape = character == '\\' && !open_escape;
            } else if entry.is_empty() {
                skips_blanks = true;
            } else if open_escape {
                entry.pop();
                open_escape = false;
                // At the end of the text there is nothing to go on with. (A lone backslash is an entry there, but not
                // before `\r\n`: so Java reads it.)
                if self.text.peek().is_none() {
                    return (!entry.is_empty() || !self.paired).then_some((first_line, entry));
                }
                skips_blanks = true;
                continued = true;
            } else {
                return Some((first_line, entry));
            }
        }
    }
}

fn split(line: &[char]) -> (&[char], &[char]) {
    let mut open_escape = false;
    let mut end = line.len();
    let mut begin = line.len();
    let mut separated = false;
    for (position, &character) in line.iter().enumerate() {
        if !open_escape && (is_blank(character) || matches!(character, '=' | ':')) {
            separated = !is_blank(character);
            end = position;
            begin = position + 1;
            break;
        }
        open_escape = character == '\\' && !open_escape;
    }
    while begin < line.len() {
        if !is_blank(line[begin]) {
            if separated || !matches!(line[begin], '=' | ':') {
                break;
            }
            separated = true;
        }
        begin += 1;
    }
    (&line[..end], &line[begin..])
}

/// `None`: a `\u` without four digits.
fn unescape(text: &[char]) -> Option<String> {
    // In Java's own units: one character may be written as two escapes.
    let mut units = Vec::with_capacity(text.len());
    let mut characters = text.iter().copied();
    while let Some(character) = characters.next() {
        let plain = if character == '\\' {
            match characters.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'f' => '\u{c}',
                'u' => {
                    let mut unit = 0;
                    for _ in 0..4 {
                        unit = unit * 16 + characters.next()?.to_digit(16)? as u16;
                    }
                    units.push(unit);
                    continue;
                }
                other => other,
            }
        } else {
            character
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Properties {
        parse(text).unwrap()
    }

    #[test]
    fn all_notations_of_java_are_read() {
        let text =
            "#c\n a = 1\nb:2\nc 3\nd=x\\\n   y\ne\\:f=g\\\\h\nempty\n!no\na=last\nu=\\u00e4\\ud83d\\ude00\n";
        let expected = [
            ("a", "last"),
            ("b", "2"),
            ("c", "3"),
            ("d", "xy"),
            ("e:f", "g\\h"),
            ("empty", ""),
            ("u", "ä\u{1f600}"),
        ];
        assert_eq!(read(text), expected.into_iter().collect());
    }

    #[test]
    fn every_line_end_and_only_javas_blanks_count() {
        let expected: Properties = [("a", "1"), ("b", "2"), ("c", "3")].into_iter().collect();
        assert_eq!(read("a=1\rb=2\r\nc=3"), expected);
        // A blank of Unicode is a letter to Java, a form feed is a blank.
        assert_eq!(read("\u{a0}a\u{c}\u{a0}1").get("\u{a0}a"), Some("\u{a0}1"));
        // A continued line is no comment; an empty one ends the entry.
        assert_eq!(read("a=1\\\n#2\nb=2"), [("a", "1#2"), ("b", "2")].into_iter().collect());
        assert_eq!(read("a=1\\\n\n  b=2"), [("a", "1"), ("b", "2")].into_iter().collect());
    }

    #[test]
    fn an_escape_that_java_refuses_is_refused_with_its_line_and_without_its_text() {
        let error = parse("# c\n\na=b\npassword=hunter2\\u00g0").unwrap_err();
        assert_eq!(error.line, 4);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn nothing_in_a_value_becomes_a_line_of_its_own() {
        let properties: Properties =
            [("broker.rack", "a\nsuper.users=User:ANONYMOUS"), ("x\nnode.id", "9")].into_iter().collect();
        let text = properties.to_text();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert_eq!(read(&text), properties);
    }

    #[test]
    fn placeholders_stay_readable() {
        assert_eq!(line("broker.rack", "${strimzienv:RACK}"), "broker.rack=${strimzienv:RACK}\n");
    }
}
