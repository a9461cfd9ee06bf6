//! Patterns of keys: `*` stands for any characters, `?` for one.

/// Whether a pattern matches a whole name.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Where the last star stands, and how much of the name it has taken.
    let (mut at, mut next, mut star) = (0, 0, None);
    while next < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(one) if *one == '?' || *one == name[next] => {
                at += 1;
                next += 1;
            }
            _ => match star {
                Some((position, taken)) => {
                    star = Some((position, taken + 1));
                    at = position + 1;
                    next = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_matches_the_whole_name() {
        for (pattern, name) in [
            ("*.crt", "ca.crt"),
            ("*", "anything"),
            ("ca-?.crt", "ca-1.crt"),
            ("*a*b*", "xxaxxabx"),
            ("ca.crt", "ca.crt"),
            ("**", ""),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("*.crt", "ca.crt.old"), ("?", ""), ("a*b", "a"), ("", "a"), ("ca.crt", "caxcrt")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
