//! Whose topics are asked for in a round over all connectors of a Connect cluster: a tenth, in turn.

/// The part of the connectors that is asked in one round.
const PART: usize = 10;

/// The connectors whose topics are asked for, of all of them in order, after the last one of the former round.
pub fn next(all: &[&str], after: Option<&str>) -> Vec<String> {
    let begin = after.map_or(0, |after| all.partition_point(|name| *name <= after));
    let most = (all.len() / PART).max(1);
    all.iter().cycle().skip(begin).take(most.min(all.len())).map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_turn_and_no_round_asks_more_than_a_tenth() {
        let names: Vec<String> = (0..105).map(|number| format!("c{number:03}")).collect();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let (mut seen, mut last) = (std::collections::BTreeSet::new(), None);
        for _ in 0..11 {
            let asked = next(&all, last.as_deref());
            assert_eq!(asked.len(), 10);
            last = asked.last().cloned();
            seen.extend(asked);
        }
        assert_eq!(seen.len(), 105);
        assert_eq!(next(&["a", "b"], Some("a")), ["b"]);
        assert_eq!(next(&["a", "b"], Some("b")), ["a"]);
        assert!(next(&[], None).is_empty());
    }
}
