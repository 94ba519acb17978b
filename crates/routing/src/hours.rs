use crate::Wanted;
use engine::Now;
use jiff::civil::{Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, Zoned};
use std::fmt;

/// Where the clock hangs that rules with hours and days go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// A zone of the IANA database, such as `Europe/Berlin`, in any case.
    pub fn parse(name: &str) -> Result<Zone, Wanted> {
        let zone = TimeZoneDatabase::bundled().get(name);
        zone.map(Zone).map_err(|_| Wanted("a name of the time zone database, such as \"Europe/Berlin\" or \"UTC\""))
    }

    /// Universal time.
    pub fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// Its name in the database.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What the clock on the wall shows there.
    pub fn local(&self, now: Now) -> Local {
        // A clock beyond the year 9999 shows 1970, which is as right as anything else.
        let at = Timestamp::try_from(now.wall).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.0.clone());
        Local::of(&at)
    }

    /// The moment, in seconds since 1970, when the clock there shows this: `2026-11-20T09:30`, `2026-11-20 09:30:15`.
    pub fn moment(&self, text: &str) -> Result<u64, Wanted> {
        const WANTED: Wanted = Wanted("a date and a time, such as 2026-11-20T09:30");
        let shown: jiff::civil::DateTime = text.parse().map_err(|_| WANTED)?;
        let at = shown.to_zoned(self.0.clone()).map_err(|_| WANTED)?;
        u64::try_from(at.timestamp().as_second()).map_err(|_| WANTED)
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone::utc()
    }
}

/// A time of day and a day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    minute: u16,
    weekday: Weekday,
}

impl Local {
    pub(crate) fn weekday(self) -> Weekday {
        self.weekday
    }

    fn of(at: &Zoned) -> Local {
        Local { minute: minute_of(at.time()), weekday: at.weekday() }
    }
}

fn minute_of(time: Time) -> u16 {
    // Neither is negative.
    time.hour().unsigned_abs() as u16 * 60 + time.minute().unsigned_abs() as u16
}

const DAY_MINUTES: u16 = 24 * 60;

/// Hours of a day: from the first minute on, and up to the second one, which is not in it. `22:00-06:00` goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: u16,
    to: u16,
}

impl Hours {
    /// Reads `08:00-18:00`.
    pub fn parse(text: &str) -> Result<Hours, Wanted> {
        const WANTED: Wanted = Wanted("two times of day, such as \"08:00-18:00\"");
        let minute = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let digits = |text: &str| text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            let (hour, minute): (u16, u16) = match digits(hour) && digits(minute) {
                true => (hour.parse().ok()?, minute.parse().ok()?),
                false => return None,
            };
            (minute < 60 && hour * 60 + minute <= DAY_MINUTES).then_some(hour * 60 + minute)
        };
        let (from, to) = text.split_once('-').ok_or(WANTED)?;
        let (from, to) = (minute(from).ok_or(WANTED)?, minute(to).ok_or(WANTED)?);
        if from == to || from == DAY_MINUTES {
            return Err(Wanted("two different times; \"00:00-24:00\" is the whole day"));
        }
        Ok(Hours { from, to })
    }

    /// Whether it is that time on one of `days`. What is behind midnight belongs to the day before, on which the hours began.
    pub(crate) fn contain(&self, local: Local, days: Days) -> bool {
        let minute = local.minute;
        if !self.wrap() {
            (self.from..self.to).contains(&minute) && days.contain(local.weekday)
        } else {
            minute >= self.from && days.contain(local.weekday)
                || minute < self.to && days.contain(local.weekday.previous())
        }
    }

    /// Whether they go over midnight.
    pub(crate) fn wrap(&self) -> bool {
        self.from > self.to
    }

    pub(crate) fn cover(&self, other: &Hours) -> bool {
        self == other || !self.wrap() && !other.wrap() && self.from <= other.from && other.to <= self.to
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from, self.to);
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(u8);

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    /// All of them.
    pub const ALL: Days = Days(0x7f);

    /// Reads `mon`, `Monday`, `mon-fri` or `sat-mon`.
    pub fn parse(text: &str) -> Result<Days, Wanted> {
        const WANTED: Wanted = Wanted("a day or two with a dash between them, such as \"mon-fri\" or \"sun\"");
        let day = |text: &str| {
            let text = text.trim().to_ascii_lowercase();
            let long = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
            NAMES.iter().position(|name| *name == text).or_else(|| long.iter().position(|name| *name == text))
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (day(first).ok_or(WANTED)?, day(last).ok_or(WANTED)?);
        let how_many = (last + 7 - first) % 7;
        Ok(Days((first..=first + how_many).fold(0, |days, day| days | 1 << (day % 7))))
    }

    /// Those of both.
    pub fn and(self, others: Days) -> Days {
        Days(self.0 | others.0)
    }

    pub(crate) fn contain(self, day: Weekday) -> bool {
        self.0 & 1 << day.to_monday_zero_offset() != 0
    }

    pub(crate) fn cover(self, others: Days) -> bool {
        self.0 & others.0 == others.0
    }
}

impl Default for Days {
    fn default() -> Days {
        Days::ALL
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |day: usize| self.0 & 1 << day != 0;
        let mut day = 0;
        let mut comma = "";
        while day < NAMES.len() {
            let end = (day..NAMES.len()).find(|later| !on(*later)).unwrap_or(NAMES.len());
            match end - day {
                0 => {}
                1 => write!(f, "{comma}{}", NAMES[day])?,
                _ => write!(f, "{comma}{}-{}", NAMES[day], NAMES[end - 1])?,
            }
            comma = if end > day { ", " } else { comma };
            day = end + 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Days, Hours, Zone};
    use engine::Now;
    use std::time::{Duration, SystemTime};

    fn local(zone: &str, text: &str) -> super::Local {
        let zone = Zone::parse(zone).unwrap();
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(zone.moment(text).unwrap());
        zone.local(Now { wall, ..Now::read_clocks() })
    }

    fn is(hours: &str, days: &str, text: &str) -> bool {
        Hours::parse(hours).unwrap().contain(local("Europe/Berlin", text), Days::parse(days).unwrap())
    }

    /// 2026-11-20 is a Friday.
    #[test]
    fn hours_and_days() {
        for (hours, days, at, fits) in [
            ("08:00-18:00", "mon-fri", "2026-11-20T08:00", true),
            ("08:00-18:00", "mon-fri", "2026-11-20T17:59", true),
            ("08:00-18:00", "mon-fri", "2026-11-20T18:00", false),
            ("08:00-18:00", "mon-fri", "2026-11-20T07:59", false),
            ("08:00-18:00", "mon-fri", "2026-11-21T09:00", false),
            ("00:00-24:00", "fri", "2026-11-20T23:59", true),
            // Friday's night ends on Saturday.
            ("22:00-06:00", "fri", "2026-11-20T22:00", true),
            ("22:00-06:00", "fri", "2026-11-21T05:59", true),
            ("22:00-06:00", "fri", "2026-11-21T06:00", false),
            ("22:00-06:00", "fri", "2026-11-20T05:00", false),
            ("22:00-06:00", "fri", "2026-11-21T22:00", false),
            ("22:00-06:00", "sun", "2026-11-23T01:00", true),
        ] {
            assert_eq!(is(hours, days, at), fits, "{hours} {days} {at}");
        }
    }

    #[test]
    fn zones_have_their_summer() {
        let utc = |zone: &str, text| Zone::parse(zone).unwrap().moment(text).unwrap();
        assert_eq!(utc("Europe/Berlin", "2026-07-01T12:00"), utc("UTC", "2026-07-01T10:00"));
        assert_eq!(utc("europe/berlin", "2026-01-01T12:00"), utc("UTC", "2026-01-01T11:00"));
        assert_eq!(local("Asia/Kolkata", "2026-07-01T00:10"), local("UTC", "2026-07-01T00:10"));
        assert!(Zone::parse("Europe/Atlantis").is_err() && Zone::parse("").is_err());
        assert!(Zone::utc().moment("noon").is_err() && Zone::utc().moment("1960-01-01T00:00").is_err());
        assert_eq!((Zone::utc().name(), Zone::parse("Europe/Berlin").unwrap().name()), ("UTC", "Europe/Berlin"));
    }

    #[test]
    fn what_is_typed_comes_back() {
        for text in ["mon-fri", "sun", "mon, wed, sat-sun"] {
            let days = text.split(", ").map(|part| Days::parse(part).unwrap()).reduce(Days::and).unwrap();
            assert_eq!(days.to_string(), text);
        }
        assert_eq!(Days::parse("Sat-Monday").unwrap().to_string(), "mon, sat-sun");
        assert_eq!(Hours::parse("8:00-18:30").unwrap().to_string(), "08:00-18:30");
        for bad in ["", "8-18", "08:00", "25:00-26:00", "08:60-09:00", "08:00-08:00", "24:00-06:00", "+8:00-9:00"] {
            assert!(Hours::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "weekend", "mon-", "mon-fri-sun"] {
            assert!(Days::parse(bad).is_err(), "{bad}");
        }
    }
}
