use crate::dns::Srv;
use engine::Rng;

/// The first `most` of these records in the order in which they are to be tried: by priority, among equals by lot, with the chances that
/// their weights give them (RFC 2782, "Weight").
///
/// The order that they come in makes no difference, so that with the same `rng` the same records always come out the same (RFC 3263
/// section 4.4).
pub(super) fn in_order(mut records: Vec<Srv>, rng: &mut Rng, most: usize) -> Vec<Srv> {
    records.sort(); // in each priority those with weight 0 come first, as the algorithm wants it
    let mut ordered = Vec::new();
    while let Some(first) = records.first()
        && ordered.len() < most
    {
        let priority = first.priority;
        let equals = records.iter().take_while(|record| record.priority == priority);
        let sum: u64 = equals.clone().map(|record| u64::from(record.weight)).sum();
        let drawn = rng.below(sum + 1);
        let mut running = 0;
        let next = equals.clone().position(|record| {
            running += u64::from(record.weight);
            running >= drawn
        });
        ordered.push(records.remove(next.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.to_owned() }
    }

    /// How often each target comes first in `runs` draws.
    fn firsts(records: &[Srv], runs: usize) -> Vec<(String, usize)> {
        let mut rng = Rng::from_u64(2782);
        let mut counts: Vec<(String, usize)> = records.iter().map(|record| (record.target.clone(), 0)).collect();
        for _ in 0..runs {
            let first = in_order(records.to_vec(), &mut rng, 1).remove(0).target;
            counts.iter_mut().find(|(target, _)| *target == first).unwrap().1 += 1;
        }
        counts
    }

    #[test]
    fn lower_priorities_come_first_and_all_are_kept() {
        let mut rng = Rng::from_u64(1);
        let records = vec![srv(20, 100, "c"), srv(10, 0, "a"), srv(30, 0, "d"), srv(10, 9, "b")];
        for _ in 0..50 {
            let ordered = in_order(records.clone(), &mut rng, 9);
            assert_eq!(ordered.iter().map(|record| record.priority).collect::<Vec<_>>(), [10, 10, 20, 30]);
            let mut kept = ordered.clone();
            kept.sort();
            let mut all = records.clone();
            all.sort();
            assert_eq!(kept, all);
            assert_eq!(in_order(records.clone(), &mut rng, 3).len(), 3);
        }
    }

    /// The case D of the zone: 10 against 90.
    #[test]
    fn weights_are_chances() {
        let counts = firsts(&[srv(0, 10, "h1"), srv(0, 90, "h2")], 10_000);
        assert!((850..1250).contains(&counts[0].1), "{counts:?}"); // 11 of 101 values draw the first
        assert_eq!(counts[0].1 + counts[1].1, 10_000);
    }

    #[test]
    fn weight_zero_beside_others_has_a_very_small_chance_and_alone_it_is_first() {
        let counts = firsts(&[srv(0, 0, "small"), srv(0, 99, "large")], 10_000);
        assert!((50..200).contains(&counts[0].1), "{counts:?}"); // 1 of 100 values
        assert_eq!(in_order(vec![srv(0, 0, "only")], &mut Rng::from_u64(1), 9), [srv(0, 0, "only")]);
    }

    #[test]
    fn the_order_of_the_answer_makes_no_difference() {
        let records = vec![srv(1, 5, "a"), srv(1, 5, "b"), srv(1, 7, "c"), srv(2, 0, "d")];
        let reversed: Vec<Srv> = records.iter().rev().cloned().collect();
        for seed in 0..20 {
            let draw = |records: &[Srv]| in_order(records.to_vec(), &mut Rng::from_u64(seed), 9);
            assert_eq!(draw(&records), draw(&reversed));
        }
    }
}
