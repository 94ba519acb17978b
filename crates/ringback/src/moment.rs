//! Points in time as people and programs write them.

use jiff::Timestamp;
use routing::Zone;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// As RFC 3339 has it, in universal time, with milliseconds.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    format!("{:.3}", timestamp(at))
}

/// As the clock on the wall of a zone shows it, with milliseconds.
pub(crate) fn local(zone: &Zone, at: SystemTime) -> String {
    timestamp(at).in_tz(zone.name()).map_or_else(|_| rfc3339(at), |at| at.strftime("%F %T%.3f").to_string())
}

/// The same without the date.
pub(crate) fn local_time(zone: &Zone, at: SystemTime) -> String {
    let shown = local(zone, at);
    shown.split_once([' ', 'T']).map_or(shown.clone(), |(_, time)| time.to_owned())
}

/// Whole seconds since 1970.
pub(crate) fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What RFC 3339 text says.
pub(crate) fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok().map(SystemTime::from)
}

/// `90`, `90s`, `15m`, `2h`, `3d`, `1w`.
pub(crate) fn parse_span(text: &str) -> Result<Duration, &'static str> {
    const WANTED: &str = "a time such as 90s, 15m, 2h or 3d";
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(WANTED),
    };
    let number: u64 = number.parse().map_err(|_| WANTED)?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or(WANTED)
}

/// Since when: a span before `now` (`2h`), or a date with or without a time in `zone`. In seconds since 1970.
pub(crate) fn parse_since(text: &str, zone: &Zone, now: SystemTime) -> Result<u64, String> {
    if let Ok(span) = parse_span(text) {
        return Ok(seconds(now).saturating_sub(span.as_secs()));
    }
    let at_midnight = zone.moment(&format!("{text}T00:00"));
    at_midnight.or_else(|_| zone.moment(text)).map_err(|_| {
        format!(
            "{text:?} is neither a time before now, such as 2h or 3d, nor a date such as 2026-11-20 or 2026-11-20T09:30"
        )
    })
}

/// How long something took, for people: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", span.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

fn timestamp(at: SystemTime) -> Timestamp {
    // A clock beyond the year 9999 shows 1970, which is as right as anything else.
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read() {
        let at = UNIX_EPOCH + Duration::from_millis(1_795_203_005_250);
        assert_eq!(rfc3339(at), "2026-11-20T19:30:05.250Z");
        assert_eq!(parse_rfc3339(&rfc3339(at)), Some(at));
        assert_eq!(local(&Zone::parse("Europe/Berlin").unwrap(), at), "2026-11-20 20:30:05.250");
        assert_eq!(rfc3339(UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn spans_are_read_and_written() {
        for (text, is) in
            [("90", Some(90)), ("15m", Some(900)), ("2h", Some(7200)), ("1w", Some(604_800)), ("0d", Some(0))]
                .into_iter()
                .chain(
                    ["", "h", "1y", "-1h", "1.5h", "99999999999999999999", "9999999999999999999d"]
                        .map(|text| (text, None)),
                )
        {
            assert_eq!(parse_span(text).ok().map(|span| span.as_secs()), is, "{text}");
        }
        for (ms, text) in [
            (400, "0.4 s"),
            (12_300, "12 s"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
            (180_000_000, "2 d 2 h"),
        ] {
            assert_eq!(span(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn since_is_a_span_or_a_date() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_795_203_005);
        let since = |text| parse_since(text, &zone, now);
        assert_eq!(since("1h").unwrap(), 1_795_199_405);
        assert_eq!(since("2026-11-20").unwrap(), since("2026-11-20T00:00").unwrap());
        assert_eq!(
            rfc3339(UNIX_EPOCH + Duration::from_secs(since("2026-11-20T09:30").unwrap())),
            "2026-11-20T08:30:00.000Z"
        );
        assert!(since("yesterday").unwrap_err().contains("2h or 3d"));
    }
}
