//! The text format of `java.util.Properties`, as far as Kafka's files use it.

use std::collections::BTreeMap;

/// Reads properties: comments, `=`, `:` or blank as separators, continued lines, escapes. Later keys win.
pub fn parse(text: &str) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut logical = line.trim_start().to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while ends_with_open_escape(&logical) {
            logical.pop();
            match lines.next() {
                Some(next) => logical.push_str(next.trim_start()),
                None => break,
            }
        }
        let (key, value) = split(&logical);
        properties.insert(unescape(key), unescape(value));
    }
    properties
}

/// Writes a value so that [`parse`] and Java read it back unchanged.
pub fn escape_value(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for (position, character) in value.chars().enumerate() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            ' ' if position == 0 => escaped.push_str("\\ "),
            other => escaped.push(other),
        }
    }
    escaped
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
            return (&line[..position], line[position + 1..].trim_start());
        } else if character.is_whitespace() {
            let rest = line[position..].trim_start();
            return (&line[..position], rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start());
        }
    }
    (line, "")
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits: String = characters.by_ref().take(4).collect();
                plain.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_notations_of_java_are_read() {
        let properties = parse("#c\n a = 1\nb:2\nc 3\nd=x\\\n   y\ne\\:f=g\\\\h\nempty\n!no\na=last\n");
        let expected = [("a", "last"), ("b", "2"), ("c", "3"), ("d", "xy"), ("e:f", "g\\h"), ("empty", "")];
        assert_eq!(properties, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn an_escaped_value_reads_back_unchanged() {
        for value in ["plain", " lead", "back\\slash", "two\nlines", "a=b:c", "tab\t"] {
            assert_eq!(parse(&format!("k={}", escape_value(value)))["k"], value);
        }
    }
}
