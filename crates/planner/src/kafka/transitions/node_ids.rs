//! Which node ids a pool gets and gives up.

use std::collections::BTreeSet;

/// Reads a list of ids and ranges: `[0, 5, 10-20, 99-90]`; ranges may count down. All together may have `most` ids.
pub(crate) fn parse_ranges(text: &str, most: usize) -> Result<Vec<i32>, String> {
    let inner = text
        .trim()
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or_else(|| format!("{text:?} is not a list of ids in brackets, such as [0, 5, 10-20]"))?;
    // Before anything is listed: a few bytes can stand for billions of ids.
    let check = |known: usize, more: usize| {
        if known + more > most {
            return Err(format!(
                "it lists more than {most} ids ({}): list fewer",
                api::env::own::MAX_WISHED_IDS
            ));
        }
        Ok(())
    };
    let mut ids = Vec::new();
    for item in inner.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let number = |part: &str| {
            part.trim()
                .parse::<i32>()
                .ok()
                .filter(|id| *id >= 0)
                .ok_or_else(|| format!("{part:?} is not a node id"))
        };
        match item.split_once('-') {
            None => {
                check(ids.len(), 1)?;
                ids.push(number(item)?);
            }
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                check(ids.len(), first.abs_diff(last) as usize + 1)?;
                if first <= last {
                    ids.extend(first..=last);
                } else {
                    ids.extend((last..=first).rev());
                }
            }
        }
    }
    Ok(ids)
}

/// That many free ids: first of the preferred ones, in order, then the lowest.
pub(crate) fn free(
    count: usize,
    preferred: impl Iterator<Item = i32>,
    is_free: impl Fn(i32) -> bool,
) -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    for id in preferred.chain(0..) {
        if found.len() == count {
            break;
        }
        if is_free(id) {
            found.insert(id);
        }
    }
    found
}

/// That many of the nodes: first of those named, in order, then the highest.
pub(crate) fn doomed(nodes: &BTreeSet<i32>, count: usize, named: &[i32]) -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    for id in named.iter().chain(nodes.iter().rev()) {
        if found.len() == count {
            break;
        }
        if nodes.contains(id) {
            found.insert(*id);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[i32]) -> BTreeSet<i32> {
        ids.iter().copied().collect()
    }

    #[test]
    fn ranges_count_up_and_down() {
        assert_eq!(parse_ranges("[0, 5, 10-12, 9-7]", 100).unwrap(), [0, 5, 10, 11, 12, 9, 8, 7]);
        assert_eq!(parse_ranges("[]", 100).unwrap(), Vec::<i32>::new());
        assert!(parse_ranges("1-2", 100).is_err());
        assert!(parse_ranges("[-1]", 100).is_err());
    }

    #[test]
    fn many_ranges_are_bounded_together_and_before_they_are_listed() {
        assert_eq!(parse_ranges("[0-4, 9-5]", 10).unwrap().len(), 10);
        let many = format!("[{}]", vec!["0-99999"; 700].join(","));
        for wish in ["[0-10]", "[0-4, 9-5, 7]", "[0-2147483647]", "[2147483647-0]", &many] {
            let refused = parse_ranges(wish, 10).unwrap_err();
            assert!(refused.contains("more than 10 ids (KASTELLAN_MAX_WISHED_IDS)"), "{refused}");
        }
    }

    #[test]
    fn new_nodes_fill_gaps_unless_ids_are_wished_for() {
        let but = |used: &'static [i32]| move |id: i32| !used.contains(&id);
        assert_eq!(free(2, [].into_iter(), but(&[0, 1])), set(&[2, 3]));
        assert_eq!(free(2, [100, 101].into_iter(), but(&[100])), set(&[0, 101]));
        assert_eq!(free(1, [7, 7, 8].into_iter(), but(&[])), set(&[7]));
        assert!(free(0, [7].into_iter(), but(&[])).is_empty());
    }

    #[test]
    fn the_highest_go_first_unless_others_are_named() {
        assert_eq!(doomed(&set(&[0, 1, 2]), 1, &[]), set(&[2]));
        assert_eq!(doomed(&set(&[0, 1, 2]), 2, &[0, 9]), set(&[0, 2]));
        assert_eq!(doomed(&set(&[0, 1]), 5, &[]), set(&[0, 1]));
    }
}
