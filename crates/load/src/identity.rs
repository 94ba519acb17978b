use std::net::IpAddr;

/// What a Call-ID of ours stands for: where its state is, so that no table needs searching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The call at this index; the turn tells it from earlier calls in the same place.
    Call { index: u32, turn: u32 },
    /// The phone at this index.
    Phone { index: u32 },
}

/// Digits of a phone's index, always as many: they do for [`crate::USERS_MAX`].
const PHONE_DIGITS: u32 = 5;

/// Makes Call-IDs and recognises them.
#[derive(Debug)]
pub(crate) struct Identities {
    /// Tells this run from others, in Call-IDs, tags and branches.
    pub(crate) run: String,
    host: String,
}

impl Identities {
    pub(crate) fn new(run: String, host: IpAddr) -> Identities {
        Identities { run, host: host.to_string() }
    }

    /// The part in front of the `@`, which is also unique in tags and branches.
    pub(crate) fn write_local(&self, identity: Identity, out: &mut Vec<u8>) {
        out.extend_from_slice(self.run.as_bytes());
        match identity {
            Identity::Call { index, turn } => {
                out.push(b'c');
                write_hex(index, out);
                out.push(b'-');
                write_hex(turn, out);
            }
            Identity::Phone { index } => {
                out.push(b'r');
                write_hex_of(index, PHONE_DIGITS, out);
            }
        }
    }

    /// The Call-ID.
    pub(crate) fn write(&self, identity: Identity, out: &mut Vec<u8>) {
        self.write_local(identity, out);
        out.push(b'@');
        out.extend_from_slice(self.host.as_bytes());
    }

    /// Reads a Call-ID; `None` when it is none of ours.
    pub(crate) fn read(&self, call_id: &str) -> Option<Identity> {
        let rest = call_id.strip_prefix(self.run.as_str())?;
        let local = rest.strip_suffix(self.host.as_str())?.strip_suffix('@')?;
        let hex = |text: &str| u32::from_str_radix(text, 16).ok();
        if let Some(call) = local.strip_prefix('c') {
            let (index, turn) = call.split_once('-')?;
            Some(Identity::Call { index: hex(index)?, turn: hex(turn)? })
        } else {
            Some(Identity::Phone { index: hex(local.strip_prefix('r')?)? })
        }
    }
}

/// Writes a number in hexadecimal, without leading zeroes.
pub(crate) fn write_hex(number: u32, out: &mut Vec<u8>) {
    write_hex_of(number, (32 - number.leading_zeros()).div_ceil(4).max(1), out);
}

/// Writes the last `digits` hexadecimal digits of a number.
pub(crate) fn write_hex_of(number: u32, digits: u32, out: &mut Vec<u8>) {
    for digit in (0..digits).rev() {
        let value = (number >> (4 * digit) & 15) as u8;
        out.push(if value < 10 { b'0' + value } else { b'a' + value - 10 });
    }
}

#[cfg(test)]
mod tests {
    use super::{Identities, Identity};

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let ours = Identities::new("abc".to_owned(), "127.0.0.1".parse().unwrap());
        for identity in [
            Identity::Call { index: 0, turn: 0 },
            Identity::Call { index: 0xdead_beef, turn: u32::MAX },
            Identity::Phone { index: 77 },
        ] {
            let mut call_id = Vec::new();
            ours.write(identity, &mut call_id);
            assert_eq!(ours.read(std::str::from_utf8(&call_id).unwrap()), Some(identity));
        }
        for other in [
            "",
            "abc",
            "abcc1@127.0.0.1",
            "abcc1-1@127.0.0.2",
            "abcx1@127.0.0.1",
            "abdc1-1@127.0.0.1",
            "abcr-@127.0.0.1",
        ] {
            assert_eq!(ours.read(other), None, "{other}");
        }
    }
}
