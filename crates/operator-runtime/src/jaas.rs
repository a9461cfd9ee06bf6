//! Lines of Java's login configuration, as Kafka's clients take them in `sasl.jaas.config`.

use std::{iter::Peekable, str::Chars};

/// The value of an option in `module flag name="value" …;`. Quoted values are read as Java's `StreamTokenizer` does, by which
/// Kafka's clients read the line.
pub fn jaas_option(line: &str, name: &str) -> Option<String> {
    let mut rest = line.chars().peekable();
    let mut word = String::new();
    let mut ended = false;
    while let Some(c) = rest.next() {
        match c {
            '=' => {
                let value = value(&mut rest)?;
                if word == name {
                    return Some(value);
                }
                ended = true;
            }
            '"' | '\'' => {
                quoted(&mut rest, c)?;
                ended = true;
            }
            c if c.is_whitespace() || c == ';' => ended = true,
            c => {
                if std::mem::take(&mut ended) {
                    word.clear();
                }
                word.push(c);
            }
        }
    }
    None
}

fn value(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
    if let Some(quote) = rest.next_if(|c| matches!(c, '"' | '\'')) {
        return quoted(rest, quote);
    }
    let mut out = String::new();
    while let Some(c) = rest.next_if(|c| !c.is_whitespace() && *c != ';') {
        out.push(c);
    }
    (!out.is_empty()).then_some(out)
}

/// Up to the closing quote; `None` when there is none.
fn quoted(rest: &mut Peekable<Chars<'_>>, quote: char) -> Option<String> {
    let mut out = String::new();
    while let Some(c) = rest.next() {
        match c {
            '\\' => out.push(escaped(rest)?),
            c if c == quote => return Some(out),
            '\n' | '\r' => return None,
            c => out.push(c),
        }
    }
    None
}

/// The character that an escape stands for: a control character by its letter or its octal number, else itself.
fn escaped(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    Some(match rest.next()? {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        first @ '0'..='7' => {
            let mut number = first.to_digit(8)?;
            for _ in 0..if first <= '3' { 2 } else { 1 } {
                let Some(digit) = rest.next_if(|c| c.is_digit(8)).and_then(|c| c.to_digit(8)) else { break };
                number = number * 8 + digit;
            }
            char::from_u32(number)?
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::jaas_option;

    const MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required";

    #[track_caller]
    fn check(options: &str, username: Option<&str>, password: Option<&str>) {
        let line = format!("{MODULE} {options};");
        assert_eq!(jaas_option(&line, "username").as_deref(), username, "{line}");
        assert_eq!(jaas_option(&line, "password").as_deref(), password, "{line}");
    }

    #[test]
    fn quotes_and_backslashes_in_a_value_are_unescaped() {
        check(r#"username="u" password="a\"b\\c""#, Some("u"), Some(r#"a"b\c"#));
        check(r#"username="ends\\" password="p""#, Some(r"ends\"), Some("p"));
    }

    #[test]
    fn control_characters_are_read_as_kafkas_clients_read_them() {
        check(
            r#"username="u" password="two\nlines\r\t\0337\7z""#,
            Some("u"),
            Some("two\nlines\r\t\x1b7\x07z"),
        );
        check("username=\"u\" password=\"two\nlines\"", Some("u"), None);
    }

    #[test]
    fn an_option_is_found_by_its_whole_name_and_never_inside_a_value() {
        check(r#"serviceusername="x" username="u" password="p""#, Some("u"), Some("p"));
        check(r#"username=" password=x " password="p""#, Some(" password=x "), Some("p"));
    }

    #[test]
    fn other_quotes_spaces_and_bare_values_are_taken_as_kafka_takes_them() {
        check("username='u' password = \"p\"", Some("u"), Some("p"));
        check("password=p username=u", Some("u"), Some("p"));
    }

    #[test]
    fn what_is_missing_or_never_ends_has_no_value() {
        check("username=\"u\"", Some("u"), None);
        check("username=\"u password=p", None, None);
    }
}
