//! The text format of `java.util.Properties`, in which Kafka and Log4j read their settings.
//!
//! Everything that goes into such a file is written by [`line`]: what Java reads back is what was meant, whatever
//! characters are in it. Java reads these files as ISO 8859-1, so characters beyond ASCII are written as `\uXXXX`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One line: the name, `=`, the value and the end of the line.
pub fn line(name: &str, value: &str) -> String {
    format!("{}={}\n", escape_name(name), escape_value(value))
}

/// A name, with everything escaped that would end it or begin a comment.
pub fn escape_name(name: &str) -> String {
    escape(name, |character, _| matches!(character, ' ' | '=' | ':' | '#' | '!'))
}

/// A value, with everything escaped that would end it, and its leading blanks. `=`, `:` and `#` mean nothing in a value
/// and stay as they are, so that placeholders in it remain readable.
pub fn escape_value(value: &str) -> String {
    escape(value, |character, position| character == ' ' && position == 0)
}

fn escape(text: &str, is_special: impl Fn(char, usize) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (position, character) in text.chars().enumerate() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\u{c}' => escaped.push_str("\\f"),
            special if is_special(special, position) => {
                escaped.push('\\');
                escaped.push(special);
            }
            ' '..='~' => escaped.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing into a String cannot fail.
                    let _ = write!(escaped, "\\u{unit:04X}");
                }
            }
        }
    }
    escaped
}

/// Reads properties as Java does: comments, `=`, `:` or a blank as separators, continued lines, escapes; the last of
/// several equal names wins. Where Java refuses a damaged `\uXXXX`, its characters are taken as they are.
pub fn parse(text: &str) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    let text = text.replace("\r\n", "\n");
    let mut lines = text.split(['\n', '\r']);
    while let Some(natural) = lines.next() {
        let mut logical = natural.trim_start_matches(is_blank).to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while ends_with_open_escape(&logical) {
            logical.pop();
            match lines.next().map(|next| next.trim_start_matches(is_blank)) {
                Some(next) => logical.push_str(next),
                None => break,
            }
        }
        let (name, value) = split(&logical);
        properties.insert(unescape(name), unescape(value));
    }
    properties
}

/// Java's white space within a line.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{c}')
}

fn ends_with_open_escape(line: &str) -> bool {
    line.chars().rev().take_while(|character| *character == '\\').count() % 2 == 1
}

fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (position, character) in line.char_indices() {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == '=' || character == ':' {
            return (&line[..position], line[position + 1..].trim_start_matches(is_blank));
        } else if is_blank(character) {
            let rest = line[position..].trim_start_matches(is_blank);
            let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
            return (&line[..position], value.trim_start_matches(is_blank));
        }
    }
    (line, "")
}

fn unescape(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let meant = match character {
            '\\' => match rest.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits =
                        rest.as_str().get(..4).filter(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
                    if let Some(unit) = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()) {
                        units.push(unit);
                        rest = rest.as_str()[4..].chars();
                        continue;
                    }
                    'u'
                }
                Some(other) => other,
                None => continue,
            },
            plain => plain,
        };
        units.extend_from_slice(meant.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_notations_of_java_are_read() {
        let text =
            "#c\n a = 1\nb:2\nc 3\nd=x\\\n   y\ne\\:f=g\\\\h\nempty\n!no\na=last\nu=\\u00FC\\uD83D\\uDE00\n";
        let expected = [
            ("a", "last"),
            ("b", "2"),
            ("c", "3"),
            ("d", "xy"),
            ("e:f", "g\\h"),
            ("empty", ""),
            ("u", "\u{fc}\u{1f600}"),
        ];
        assert_eq!(parse(text), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn what_was_written_reads_back_unchanged() {
        let odd = [
            "plain",
            "",
            " lead",
            "  two  ",
            "back\\slash",
            "ends in \\",
            "two\nlines",
            "\r\n",
            "a=b:c",
            "#c",
            "!c",
            "tab\t\u{c}\0",
            "\u{fc}\u{1f600}",
            "\\u0041",
        ];
        for name in odd {
            for value in odd {
                let text = format!("before=1\n{}after=2\n", line(name, value));
                assert!(text.is_ascii());
                let read = parse(&text);
                assert_eq!(read[name], value, "{name:?}");
                assert_eq!(
                    (read.len(), &*read["before"], &*read["after"]),
                    (3, "1", "2"),
                    "{name:?} {value:?}"
                );
            }
        }
    }

    #[test]
    fn placeholders_stay_readable() {
        assert_eq!(line("broker.rack", "${strimzienv:RACK}"), "broker.rack=${strimzienv:RACK}\n");
    }
}
