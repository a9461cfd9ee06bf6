//! Finds the parts of a JSON text without building anything out of it: neither the depth nor the number of its values costs
//! stack or memory.

/// A text that is not the JSON that was expected, for example a text that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is no complete JSON {0}")]
pub(crate) struct NotJson(&'static str);

/// A member of an object, or an item of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    /// Name of a member as it is spelled, without its quotes; empty for an item.
    pub name: &'a str,
    /// Where the value begins in the text of the whole.
    pub start: usize,
    /// The value.
    pub text: &'a str,
}

/// The parts of one object or list, in their order.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    text: &'a str,
    at: usize,
    object: bool,
    first: bool,
    ended: bool,
}

/// The members of the object that a text begins with.
pub(crate) fn members(text: &str) -> Result<Parts<'_>, NotJson> {
    parts(text).filter(|parts| parts.object).ok_or(NotJson("object"))
}

/// The items of the list that a text begins with.
pub(crate) fn items(text: &str) -> Result<Parts<'_>, NotJson> {
    parts(text).filter(|parts| !parts.object).ok_or(NotJson("list"))
}

/// The text of one member of an object; `None` when the object has no such member.
pub(crate) fn member<'a>(text: &'a str, name: &str) -> Result<Option<&'a str>, NotJson> {
    for part in members(text)? {
        let part = part?;
        if part.name == name {
            return Ok(Some(part.text));
        }
    }
    Ok(None)
}

/// The text between the quotes of a string without escapes, such as a name or a resource version.
pub(crate) fn plain_string(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['\\', '"'])).then_some(inner)
}

/// Longest path that [`path_at`] follows.
const DEEPEST_PATH: usize = 12;

/// Characters of a name in a path. Whoever writes a map chooses its keys.
const LONGEST_NAME: usize = 64;

/// The path of the value that a position lies in, like `spec.volumes[0].secret`. Ends with `…` when it would be too long.
pub(crate) fn path_at(text: &str, position: usize) -> String {
    let (mut path, mut here, mut begin) = (String::new(), text, 0);
    for _ in 0..DEEPEST_PATH {
        let around = |(_, part): &(usize, Part<'_>)| {
            let start = begin + part.start;
            (start..=start + part.text.len()).contains(&position)
        };
        let Some(parts) = parts(here) else { return path };
        let Some((index, part)) = parts.map_while(Result::ok).enumerate().find(around) else { return path };
        if here.trim_start().starts_with('[') {
            path = format!("{path}[{index}]");
        } else {
            let dot = if path.is_empty() { "" } else { "." };
            path = format!("{path}{dot}{}", shortened(part.name));
        }
        begin += part.start;
        here = part.text;
    }
    path.push('…');
    path
}

fn shortened(name: &str) -> String {
    let mut short: String = name.chars().take(LONGEST_NAME).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

/// Where the first value begins that lies in so many lists and maps.
pub(crate) fn first_at_depth(text: &str, levels: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == levels {
            return Some(at);
        }
    }
    None
}

/// What a value takes in memory beside its text, once it is read: a place in a list or map that grows by doubling.
const VALUE_BYTES: usize = 64;

/// About how many bytes the values of a text take once they are read, at most. `object_bytes` is what an object takes
/// beside its members: the largest structure that can stand in a list, or a map with room for eleven.
pub(crate) fn weight(text: &str, object_bytes: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut values, mut objects) = (0, 1_usize, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => match string_end(bytes, at) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => break,
            },
            b',' | b'[' => values += 1,
            b'{' => {
                values += 1;
                objects += 1;
            }
            _ => {}
        }
        at += 1;
    }
    text.len() + values * VALUE_BYTES + objects * object_bytes
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let at = skip_blanks(text.as_bytes(), 0);
    let object = match text.as_bytes().get(at)? {
        b'{' => true,
        b'[' => false,
        _ => return None,
    };
    Some(Parts { text, at: at + 1, object, first: true, ended: false })
}

impl<'a> Parts<'a> {
    /// Whether the end is reached.
    fn is_at_end(&mut self) -> bool {
        self.at = skip_blanks(self.text.as_bytes(), self.at);
        self.text.as_bytes().get(self.at) == Some(if self.object { &b'}' } else { &b']' })
    }

    /// The next part; `None` when there is no complete one.
    fn advance(&mut self) -> Option<Part<'a>> {
        let bytes = self.text.as_bytes();
        match bytes.get(self.at)? {
            b',' if !self.first => self.at = skip_blanks(bytes, self.at + 1),
            _ if !self.first => return None,
            _ => {}
        }
        self.first = false;
        let mut name = "";
        if self.object {
            let end = (bytes.get(self.at)? == &b'"').then(|| string_end(bytes, self.at)).flatten()?;
            name = self.text.get(self.at + 1..end - 1)?;
            let colon = skip_blanks(bytes, end);
            (bytes.get(colon)? == &b':').then_some(())?;
            self.at = skip_blanks(bytes, colon + 1);
        }
        let start = self.at;
        self.at = value_end(bytes, start)?;
        Some(Part { name, start, text: self.text.get(start..self.at)? })
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, NotJson>;

    fn next(&mut self) -> Option<Self::Item> {
        self.ended = self.ended || self.is_at_end();
        if self.ended {
            return None;
        }
        let part = self.advance().ok_or(NotJson(if self.object { "object" } else { "list" }));
        self.ended = part.is_err();
        Some(part)
    }
}

fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// Where a string that begins at `start` ends, behind its closing quote.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Where a value that begins at `start` ends.
fn value_end(bytes: &[u8], start: usize) -> Option<usize> {
    match bytes.get(start)? {
        b'"' => string_end(bytes, start),
        b'{' | b'[' => nested_end(bytes, start),
        b',' | b':' | b'}' | b']' => None,
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':') || byte.is_ascii_whitespace();
            let length = bytes.get(start..)?.iter().position(ends);
            Some(length.map_or(bytes.len(), |length| start + length))
        }
    }
}

fn nested_end(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
