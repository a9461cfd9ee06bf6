//! Which node ids a pool gets and gives up.

use std::collections::BTreeSet;

/// Reads a list of ids and ranges: `[0, 5, 10-20, 99-90]`; ranges may count down.
pub fn parse_ranges(text: &str) -> Result<Vec<i32>, String> {
    let inner = text
        .trim()
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or_else(|| format!("{text:?} is not a list of ids in brackets, such as [0, 5, 10-20]"))?;
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
            None => ids.push(number(item)?),
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                // A range of millions is a slip of the pen; ids beyond need no listing.
                if first.abs_diff(last) > 100_000 {
                    return Err(format!("{item:?} spans more than 100000 ids"));
                }
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

/// The ids of a pool that should have `replicas` nodes.
///
/// New ids come from `next` in order, then from the lowest that no pool uses. Ids to give up are those in `remove`
/// in order, then the highest.
pub fn assign(
    current: &BTreeSet<i32>,
    replicas: usize,
    used: &BTreeSet<i32>,
    next: &[i32],
    remove: &[i32],
) -> BTreeSet<i32> {
    let mut ids = current.clone();
    let mut preferred = next.iter().copied();
    let mut lowest = 0;
    while ids.len() < replicas {
        let id = preferred.find(|id| !used.contains(id) && !ids.contains(id)).unwrap_or_else(|| {
            while used.contains(&lowest) || ids.contains(&lowest) {
                lowest += 1;
            }
            lowest
        });
        ids.insert(id);
    }
    let mut doomed = remove.iter().copied();
    while ids.len() > replicas {
        let Some(id) = doomed.find(|id| ids.contains(id)).or_else(|| ids.last().copied()) else { break };
        ids.remove(&id);
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[i32]) -> BTreeSet<i32> {
        ids.iter().copied().collect()
    }

    #[test]
    fn ranges_count_up_and_down() {
        assert_eq!(parse_ranges("[0, 5, 10-12, 9-7]").unwrap(), [0, 5, 10, 11, 12, 9, 8, 7]);
        assert_eq!(parse_ranges("[]").unwrap(), Vec::<i32>::new());
        assert!(parse_ranges("1-2").is_err());
        assert!(parse_ranges("[-1]").is_err());
        assert!(parse_ranges("[0-99999999]").is_err());
    }

    #[test]
    fn new_nodes_fill_gaps_unless_ids_are_wished_for() {
        assert_eq!(assign(&set(&[1]), 3, &set(&[0, 1]), &[], &[]), set(&[1, 2, 3]));
        assert_eq!(assign(&set(&[]), 2, &set(&[100]), &[100, 101], &[]), set(&[0, 101]));
    }

    #[test]
    fn the_highest_go_first_unless_others_are_named() {
        assert_eq!(assign(&set(&[0, 1, 2, 3]), 2, &set(&[0, 1, 2, 3]), &[], &[7, 1]), set(&[0, 2]));
    }
}
