//! `java.util.Properties.load`, written down from its documentation: what Java makes of a file, damaged ones refused.

/// Names and values in the order of the file; of equal names Java keeps the last.
pub(crate) fn load(text: &str) -> Vec<(String, String)> {
    assert!(text.is_ascii(), "Java takes other bytes for ISO 8859-1");
    logical_lines(text).iter().map(|line| entry(line)).collect()
}

/// Natural lines end with a line feed, a carriage return or both. A comment is one natural line; any other line goes on
/// in the next one after an odd number of back slashes.
fn logical_lines(text: &str) -> Vec<String> {
    let mut natural: Vec<String> = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\n' || character == '\r' {
            if character == '\r' && characters.peek() == Some(&'\n') {
                characters.next();
            }
            natural.push(String::new());
        } else {
            natural.last_mut().unwrap().push(character);
        }
    }
    let mut logical = Vec::new();
    let mut lines = natural.into_iter();
    while let Some(first) = lines.next() {
        let mut line = without_leading_blanks(&first);
        if line.is_empty() || line.starts_with('#') || line.starts_with('!') {
            continue;
        }
        while line.len() % 2 != line.trim_end_matches('\\').len() % 2 {
            line.pop();
            line.push_str(&without_leading_blanks(&lines.next().unwrap_or_default()));
        }
        logical.push(line);
    }
    logical
}

fn without_leading_blanks(text: &str) -> String {
    text.trim_start_matches([' ', '\t', '\u{c}']).to_owned()
}

fn entry(line: &str) -> (String, String) {
    let characters: Vec<char> = line.chars().collect();
    let mut end = 0;
    while end < characters.len() && !matches!(characters[end], '=' | ':' | ' ' | '\t' | '\u{c}') {
        end += if characters[end] == '\\' { 2 } else { 1 };
    }
    let end = end.min(characters.len());
    let mut start = end;
    let mut separated = false;
    while start < characters.len() {
        match characters[start] {
            ' ' | '\t' | '\u{c}' => {}
            '=' | ':' if !separated => separated = true,
            _ => break,
        }
        start += 1;
    }
    (converted(&characters[..end]), converted(&characters[start..]))
}

fn converted(characters: &[char]) -> String {
    let mut units = Vec::new();
    let mut rest = characters.iter();
    while let Some(character) = rest.next() {
        let meant = match character {
            '\\' => match rest.next() {
                Some('u') => {
                    let digits: String = rest.by_ref().take(4).collect();
                    assert_eq!(digits.len(), 4, "malformed \\uxxxx encoding");
                    units.push(u16::from_str_radix(&digits, 16).expect("malformed \\uxxxx encoding"));
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => *other,
                None => continue,
            },
            plain => *plain,
        };
        units.extend_from_slice(meant.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16(&units).unwrap()
}
