//! The payload that carries a keypad digit (RFC 4733 section 2.3).

/// One report of a telephone event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// 0 to 9, 10 `*`, 11 `#`, 12 to 15 `A` to `D`; more in other RFCs.
    pub event: u8,
    /// Whether this is the event's last report.
    pub end: bool,
    /// Power in -dBm0, 0 to 63.
    pub volume: u8,
    /// How long the event has lasted, in units of the RTP clock.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads the first report of a payload.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [event, flags, d0, d1] = *payload.first_chunk::<4>()?;
        Some(TelephoneEvent {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([d0, d1]),
        })
    }

    /// The report's four bytes.
    pub fn to_bytes(self) -> [u8; 4] {
        let [d0, d1] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | (self.volume & 0x3f), d0, d1]
    }

    /// The key of this event: `0`-`9`, `*`, `#`, `A`-`D` (RFC 4733 section 3.2).
    pub fn digit(self) -> Option<char> {
        KEYS.chars().nth(usize::from(self.event))
    }

    /// The event code of a key, small letters included.
    pub fn code_of(digit: char) -> Option<u8> {
        KEYS.chars().position(|k| k == digit.to_ascii_uppercase()).and_then(|p| u8::try_from(p).ok())
    }
}

const KEYS: &str = "0123456789*#ABCD";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_and_keys() {
        let report = TelephoneEvent { event: 11, end: true, volume: 10, duration: 800 };
        assert_eq!(report.to_bytes(), [11, 0x8a, 0x03, 0x20]);
        assert_eq!(TelephoneEvent::parse(&report.to_bytes()), Some(report));
        assert_eq!(TelephoneEvent::parse(&[1, 2, 3]), None);
        assert_eq!(report.digit(), Some('#'));
        assert_eq!(TelephoneEvent { event: 16, ..report }.digit(), None);
        for (code, key) in "0123456789*#ABCD".chars().enumerate() {
            assert_eq!(TelephoneEvent::code_of(key), Some(code as u8));
        }
        assert_eq!(TelephoneEvent::code_of('d'), Some(15));
        assert_eq!(TelephoneEvent::code_of('e'), None);
    }
}
