//! Bindings as bytes: for a log and snapshots of it, whose length is what durability costs.
//!
//! A [`Record`] is one byte that says kind and version, the address-of-record, and what stands there. Numbers that are mostly small are
//! in LEB128, others little-endian. A connection is not written: after a restart it means nothing.
//!
//! | record  | bytes                                                                                                        |
//! |---------|--------------------------------------------------------------------------------------------------------------|
//! | whole   | `0x10`, text of the address-of-record, how many bindings, each: see [`Binding::encode`]                        |
//! | refresh | `0x11`, text of the address-of-record, when its one binding that still stood ended, when it ends now, its CSeq |
use crate::{AddressOfRecord, BINDINGS_PER_AOR_MAX, Binding};
use std::fmt;
use std::sync::Arc;

const WHOLE: u8 = 0x10;
const REFRESH: u8 = 0x11;

/// What stands at an address-of-record from some moment on, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// These bindings, whatever stood there before.
    Whole {
        /// Where.
        aor: AddressOfRecord,
        /// All of them; none: it has gone.
        bindings: Arc<[Binding]>,
    },
    /// The one binding that had not ended, refreshed; others that stood there had ended.
    Refresh {
        /// Where.
        aor: AddressOfRecord,
        /// When it would have ended, which tells it from those that have.
        ended_s: u32,
        /// When it ends.
        expires_at_s: u32,
        /// The CSeq of the REGISTER that did it.
        cseq: u32,
    },
}

/// Bytes that are no record of ours: they were damaged, or a later version has written them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged(
    /// What is wrong.
    pub &'static str,
);

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Damaged {}

impl Record {
    /// Appends that these bindings stand at `aor`.
    pub fn encode(aor: &AddressOfRecord, bindings: &[Binding], to: &mut Vec<u8>) {
        to.push(WHOLE);
        push_bytes(to, aor.as_str().as_bytes());
        to.push(bindings.len().min(BINDINGS_PER_AOR_MAX) as u8);
        bindings.iter().take(BINDINGS_PER_AOR_MAX).for_each(|binding| binding.encode(to));
    }

    /// Appends the same in fewer bytes, where the reader knows that `before` stands there, except for what had ended. `true`: it was a mere
    /// refresh.
    pub fn encode_change(aor: &AddressOfRecord, before: &[Binding], bindings: &[Binding], to: &mut Vec<u8>) -> bool {
        match (before, bindings) {
            ([old], [new]) if new.refreshes(old) => {
                to.push(REFRESH);
                push_bytes(to, aor.as_str().as_bytes());
                for number in [old.expires_at_s(), new.expires_at_s(), new.cseq()] {
                    to.extend_from_slice(&number.to_le_bytes());
                }
                true
            }
            _ => {
                Record::encode(aor, bindings, to);
                false
            }
        }
    }

    /// Takes the record that `bytes` begin with off them.
    pub fn decode(bytes: &mut &[u8]) -> Result<Record, Damaged> {
        let kind = take(bytes, 1)?;
        let text = take_bytes(bytes)?;
        let aor = std::str::from_utf8(text).ok().and_then(AddressOfRecord::of_canonical);
        let aor = aor.ok_or(Damaged("no address-of-record"))?;
        match kind {
            [WHOLE] => {
                let bindings = match take(bytes, 1)? {
                    [1] => Arc::from([Binding::decode(bytes)?]),
                    [count] if usize::from(*count) <= BINDINGS_PER_AOR_MAX => {
                        (0..*count).map(|_| Binding::decode(bytes)).collect::<Result<_, _>>()?
                    }
                    _ => return Err(Damaged("more bindings than there may be")),
                };
                Ok(Record::Whole { aor, bindings })
            }
            [REFRESH] => {
                let [ended_s, expires_at_s, cseq] = [take_u32(bytes)?, take_u32(bytes)?, take_u32(bytes)?];
                Ok(Record::Refresh { aor, ended_s, expires_at_s, cseq })
            }
            _ => Err(Damaged("a kind of record that this version does not know")),
        }
    }

    /// Whose it is.
    pub fn aor(&self) -> &AddressOfRecord {
        match self {
            Record::Whole { aor, .. } | Record::Refresh { aor, .. } => aor,
        }
    }
}

/// Appends `number` in LEB128.
pub(crate) fn push_number(to: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn push_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    push_number(to, bytes.len() as u32);
    to.extend_from_slice(bytes);
}

pub(crate) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], Damaged> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(Damaged("it ends too early"))?;
    *bytes = rest;
    Ok(taken)
}

pub(crate) fn take_number(bytes: &mut &[u8]) -> Result<u32, Damaged> {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let &[byte] = take(bytes, 1)? else { break };
        number |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Damaged("a number that does not end"))
}

pub(crate) fn take_u32(bytes: &mut &[u8]) -> Result<u32, Damaged> {
    let taken = take(bytes, 4)?;
    Ok(taken.first_chunk().map_or(0, |four| u32::from_le_bytes(*four)))
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Damaged> {
    let count = take_number(bytes)?;
    take(bytes, count as usize)
}

#[cfg(test)]
mod tests;
