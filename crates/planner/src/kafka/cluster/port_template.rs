//! Ports that are computed from node ids: `advertisedPortTemplate`.

use std::iter::Peekable;
use std::str::Chars;

/// The placeholder.
const NODE_ID: &str = "{nodeId}";
/// Characters, at most: it is computed for every node.
const LONGEST: usize = 200;
/// Parentheses within each other, at most.
const DEEPEST: usize = 20;

/// A sum of numbers and `{nodeId}` with `+`, `-`, `*` and parentheses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortTemplate(String);

impl PortTemplate {
    /// Checks the form of a template.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with the template.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("has {} characters, and may have {LONGEST}", text.len()));
        }
        let template = Self(text.to_owned());
        template.value(0).map(|_| template)
    }

    /// The port of a node.
    ///
    /// # Errors
    /// When the result is no port, as the end of a sentence that begins with the template.
    pub fn port(&self, id: i32) -> Result<u16, String> {
        let value = self.value(id)?;
        u16::try_from(value)
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| format!("yields {value} for node {id}, which is no port: ports are 1 to 65535"))
    }

    fn value(&self, id: i32) -> Result<i64, String> {
        let text = self.0.replace(NODE_ID, &format!("({id})"));
        let mut reader = Reader { rest: text.chars().peekable(), depth: 0 };
        let value = reader.sum()?;
        match reader.next() {
            None => Ok(value),
            Some(character) => Err(unexpected(character)),
        }
    }
}

fn unexpected(character: char) -> String {
    format!(
        "has an unexpected {character:?}: write a number, or a sum of numbers and {NODE_ID} with +, -, * and parentheses, for \
         example 9000 + {NODE_ID}"
    )
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        while self.rest.next_if(|character| character.is_whitespace()).is_some() {}
        self.rest.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        self.peek()?;
        self.rest.next()
    }

    fn sum(&mut self) -> Result<i64, String> {
        let mut value = self.product()?;
        while let Some(sign @ ('+' | '-')) = self.peek() {
            self.next();
            let next = self.product()?;
            let sum = if sign == '+' { value.checked_add(next) } else { value.checked_sub(next) };
            value = sum.ok_or_else(too_large)?;
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<i64, String> {
        let mut value = self.factor()?;
        while self.peek() == Some('*') {
            self.next();
            value = value.checked_mul(self.factor()?).ok_or_else(too_large)?;
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<i64, String> {
        match self.next() {
            Some('(') => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(format!("has more than {DEEPEST} parentheses: simplify it"));
                }
                let value = self.sum()?;
                self.depth -= 1;
                match self.next() {
                    Some(')') => Ok(value),
                    Some(character) => Err(unexpected(character)),
                    None => Err("ends before its last parenthesis is closed".to_owned()),
                }
            }
            Some(digit) if digit.is_ascii_digit() => {
                let mut digits = String::from(digit);
                while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                digits.parse().map_err(|_| too_large())
            }
            Some(character) => Err(unexpected(character)),
            None => Err("ends where a number is expected".to_owned()),
        }
    }
}

fn too_large() -> String {
    "has a number that is too large".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products_yield_a_port_for_each_node() {
        for (text, id, port) in [
            ("9094", 3, 9094),
            ("9000 + {nodeId}", 3, 9003),
            ("32000+{nodeId}*10", 12, 32120),
            ("2 * (1000 - {nodeId}) + 1", 100, 1801),
        ] {
            assert_eq!(PortTemplate::parse(text).unwrap().port(id), Ok(port), "{text}");
        }
    }

    #[test]
    fn what_is_no_sum_or_no_port_is_said() {
        for (text, said) in [
            ("", "ends where a number"),
            ("9000 +", "ends where a number"),
            ("9000 / 2", "unexpected '/'"),
            ("{nodeid}", "unexpected '{'"),
            ("(1 + 2", "parenthesis"),
            ("1 2", "unexpected '2'"),
            ("-1 + 2", "unexpected '-'"),
            ("99999999999999999999", "too large"),
            ("9223372036854775807 + 1", "too large"),
        ] {
            let error = PortTemplate::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        let deep = format!("{}1{}", "(".repeat(90), ")".repeat(90));
        assert!(PortTemplate::parse(&deep).unwrap_err().contains("parentheses"));
        assert!(PortTemplate::parse(&"1".repeat(1_000_000)).unwrap_err().contains("may have 200"));
        let wide = format!("1{}", "+(1)".repeat(40));
        assert_eq!(PortTemplate::parse(&wide).unwrap().port(0), Ok(41));
        let template = PortTemplate::parse("65535 + {nodeId}").unwrap();
        assert_eq!(template.port(0), Ok(65535));
        assert!(template.port(1).unwrap_err().contains("yields 65536 for node 1"));
    }
}
