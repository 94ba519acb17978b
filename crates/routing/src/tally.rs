use engine::Now;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Users whose calls are counted at once. When there are more who have called within the hour, some share a count with another: they may
/// be let through less than their limits say, never more.
pub const TALLY_USERS_MAX: usize = 1 << 14;

/// Places that are looked at for a user.
const PROBES: usize = 32;

/// Parts of an hour that calls are counted in.
const PARTS: usize = 12;
const PART_S: u64 = 3600 / PARTS as u64;

/// What each user's calls out of the exchange come to. A clone counts in the same places, so that what is configured is what all shards
/// let through together.
///
/// The calls of the last hour are counted in five-minute parts: one of up to five minutes more may count.
#[derive(Debug, Clone)]
pub struct Tally(Arc<[Place]>);

#[derive(Debug, Default)]
struct Place {
    /// Whose it is; 0: nobody's.
    user: AtomicU64,
    /// Calls at present.
    calls: AtomicU32,
    /// For each part of the hour, which it was, and how many calls began in it.
    parts: [AtomicU64; PARTS],
}

/// A call that counts, to be given back when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the call counts until it is given back"]
pub struct Seat(pub u32);

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// As many calls at a time as there may be.
    Calls,
    /// As many within an hour.
    CallsPerHour,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally((0..TALLY_USERS_MAX).map(|_| Place::default()).collect())
    }
}

impl Tally {
    /// Counts one more call of a user, who is known by a number that nobody else can choose to have, unless that is more than they may
    /// have at a time, or within an hour.
    pub fn take(&self, now: Now, user: u64, calls: u32, calls_per_hour: u32) -> Result<Seat, Excess> {
        let index = self.place_of(now, user);
        let Some(place) = self.0.get(index) else { return Err(Excess::Calls) };
        let count = |begun: u32| (begun < calls).then(|| begun + 1);
        place.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).map_err(|_| Excess::Calls)?;
        if place.within_hour(now) >= u64::from(calls_per_hour) {
            self.give_back(Seat(index as u32));
            return Err(Excess::CallsPerHour);
        }
        place.begin(now);
        Ok(Seat(index as u32))
    }

    /// A call is over.
    pub fn give_back(&self, seat: Seat) {
        if let Some(place) = self.0.get(seat.0 as usize) {
            let _ = place.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |calls| calls.checked_sub(1));
        }
    }

    /// The place of a user: the one they have, one that is free, one whose user has not called for an hour, or else somebody's.
    fn place_of(&self, now: Now, user: u64) -> usize {
        let user = user.max(1);
        let home = user as usize % TALLY_USERS_MAX;
        let near = || (home..home + PROBES).map(|index| index % TALLY_USERS_MAX);
        let is = |index: &usize| self.0[*index].user.load(Ordering::Relaxed) == user;
        if let Some(index) = near().find(is) {
            return index;
        }
        let taken = near().find(|index| {
            let place = &self.0[*index];
            let of = place.user.load(Ordering::Relaxed);
            let free = of == 0 || (place.calls.load(Ordering::Relaxed) == 0 && place.within_hour(now) == 0);
            free && place.user.compare_exchange(of, user, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        });
        // Another shard may have taken one for the same user in this moment.
        near().find(is).or(taken).unwrap_or(home)
    }
}

impl Place {
    fn within_hour(&self, now: Now) -> u64 {
        let part = now.unix_s() / PART_S;
        let parts = self.parts.iter().map(|count| split(count.load(Ordering::Relaxed)));
        parts.filter(|(of, _)| of + PARTS as u64 > part).map(|(_, count)| u64::from(count)).sum()
    }

    fn begin(&self, now: Now) {
        let part = now.unix_s() / PART_S;
        let Some(count) = self.parts.get(part as usize % PARTS) else { return };
        let more = |counted: u64| {
            let (of, count) = split(counted);
            Some(join(part, if of == part { count.saturating_add(1) } else { 1 }))
        };
        let _ = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

/// Which part of time it is, and how many.
fn split(counted: u64) -> (u64, u32) {
    (counted >> 32, counted as u32)
}

fn join(part: u64, count: u32) -> u64 {
    part << 32 | u64::from(count)
}

#[cfg(test)]
mod tests {
    use super::{Excess, TALLY_USERS_MAX, Tally};
    use engine::Now;
    use std::time::Duration;

    #[test]
    fn a_user_has_so_many_calls_at_a_time_in_all_shards() {
        let (tally, now) = (Tally::default(), Now::read_clocks());
        let other_shard = tally.clone();
        let first = tally.take(now, 7, 2, 100).expect("room");
        let second = other_shard.take(now, 7, 2, 100).expect("room");
        assert_eq!(tally.take(now, 7, 2, 100), Err(Excess::Calls));
        assert!(tally.take(now, 8, 2, 100).is_ok(), "another user has their own");
        other_shard.give_back(first);
        let third = tally.take(now, 7, 2, 100).expect("room again");
        [second, third].into_iter().for_each(|seat| tally.give_back(seat));
        assert_eq!(tally.take(now, 7, 0, 100), Err(Excess::Calls), "none is a limit, too");
    }

    #[test]
    fn a_user_begins_so_many_calls_within_an_hour() {
        let (tally, now) = (Tally::default(), Now::read_clocks());
        let call = |after_s: u64| {
            let now = now + Duration::from_secs(after_s);
            tally.take(now, 7, 10, 3).map(|seat| tally.give_back(seat))
        };
        assert_eq!([call(0), call(600), call(1200)], [Ok(()); 3]);
        assert_eq!([call(1201), call(3000)], [Err(Excess::CallsPerHour); 2], "what was refused counts for nothing");
        assert_eq!(call(3900), Ok(()));
        assert_eq!(call(3901), Err(Excess::CallsPerHour));
        assert_eq!([call(100_000), call(100_000), call(100_000)], [Ok(()); 3]);
    }

    #[test]
    fn a_place_is_used_again_when_its_user_has_not_called_for_an_hour_and_shared_before_that() {
        let (tally, now) = (Tally::default(), Now::read_clocks());
        let all = TALLY_USERS_MAX as u64;
        for user in 1..=2 * all {
            let seat = tally.take(now, user, u32::MAX, u32::MAX).expect("shared, if need be");
            tally.give_back(seat);
        }
        let later = now + Duration::from_secs(7200);
        for user in 3 * all..4 * all {
            assert!(tally.take(later, user, 1, 1).is_ok(), "each has a place of their own again");
        }
    }
}
