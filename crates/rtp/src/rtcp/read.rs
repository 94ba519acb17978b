use std::fmt;

use super::{COMPOUND_BYTES_MAX, GOODBYE, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo};

/// A compound RTCP packet, read in place. A value that exists has been checked (RFC 3550 appendix A.2): the lengths of its
/// packets add up, and each packet of a kind we read is as long as its counts say.
#[derive(Debug, Clone, Copy)]
pub struct Compound<'a> {
    bytes: &'a [u8],
}

/// Why a datagram is not a compound packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcpError {
    /// Longer than [`COMPOUND_BYTES_MAX`].
    TooLong,
    /// A length does not fit.
    Truncated,
    /// A version that is not 2.
    Version,
    /// The first packet is neither a sender nor a receiver report, or is padded.
    First,
    /// Padding that is not possible, or not in the last packet.
    Padding,
}

impl fmt::Display for RtcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RtcpError::TooLong => "RTCP packet too long",
            RtcpError::Truncated => "truncated RTCP packet",
            RtcpError::Version => "not RTCP version 2",
            RtcpError::First => "RTCP does not begin with a report",
            RtcpError::Padding => "bad RTCP padding",
        })
    }
}

impl std::error::Error for RtcpError {}

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcpPacket<'a> {
    /// SR: the sender, what it says of itself, and of others.
    SenderReport(u32, SenderInfo, Report<'a>),
    /// RR: the receiver, and what it says of others.
    ReceiverReport(u32, Report<'a>),
    /// SDES.
    SourceDescription(Sdes<'a>),
    /// BYE: the sources that leave, as many as 31.
    Goodbye(Sources<'a>),
    /// Another packet type: feedback, extended reports, application-defined.
    Other(u8),
}

/// Report blocks, at most 31.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<'a>(&'a [u8]);

impl Report<'_> {
    /// The blocks in order.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> {
        self.0.as_chunks::<24>().0.iter().map(|b| {
            let word = |i: usize| u32::from_be_bytes([b[i * 4], b[i * 4 + 1], b[i * 4 + 2], b[i * 4 + 3]]);
            ReportBlock {
                ssrc: word(0),
                fraction_lost: b[4],
                // 24 bits, sign-extended.
                cumulative_lost: (word(1) << 8).cast_signed() >> 8,
                extended_max: word(2),
                jitter: word(3),
                last_sr: word(4),
                delay_since_last_sr: word(5),
            }
        })
    }
}

/// The sources of a BYE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources<'a>(&'a [u8]);

impl Sources<'_> {
    /// The sources in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.as_chunks::<4>().0.iter().map(|s| u32::from_be_bytes(*s))
    }
}

/// The chunks of a source description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sdes<'a>(u8, &'a [u8]);

impl<'a> Sdes<'a> {
    /// The canonical name of a source, if a chunk gives one (RFC 3550 section 6.5.1). Malformed chunks end the search.
    pub fn cname_of(&self, ssrc: u32) -> Option<&'a [u8]> {
        let mut rest = self.1;
        for _ in 0..self.0 {
            let (source, items) = rest.split_first_chunk::<4>()?;
            let mut used = 0;
            while let [kind, length, after @ ..] = items.get(used..)? {
                if *kind == 0 {
                    break;
                }
                let text = after.get(..usize::from(*length))?;
                if *kind == 1 && u32::from_be_bytes(*source) == ssrc {
                    return Some(text);
                }
                used += 2 + text.len();
            }
            // At least one zero byte, up to the next multiple of four.
            rest = items.get((used / 4 + 1) * 4..)?;
        }
        None
    }
}

impl<'a> Compound<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// When it is not a well-formed compound; a lone feedback packet (RFC 5506) is not one either.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtcpError> {
        if bytes.len() > COMPOUND_BYTES_MAX {
            return Err(RtcpError::TooLong);
        }
        let mut rest = bytes;
        let mut first = true;
        while first || !rest.is_empty() {
            let [flags, kind, ..] = *rest else { return Err(RtcpError::Truncated) };
            if flags >> 6 != 2 {
                return Err(RtcpError::Version);
            }
            let padded = flags & 0x20 != 0;
            if first && (padded && !is_last(rest) || !matches!(kind, SENDER_REPORT | RECEIVER_REPORT)) {
                return Err(RtcpError::First);
            }
            first = false;
            let (body, after) = split(rest)?;
            if padded && !after.is_empty() {
                return Err(RtcpError::Padding);
            }
            packet(flags, kind, body)?;
            rest = after;
        }
        Ok(Compound { bytes })
    }

    /// The packets in order.
    pub fn packets(&self) -> impl Iterator<Item = RtcpPacket<'a>> + use<'a> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let [flags, kind, ..] = *rest else { return None };
            let (body, after) = split(rest).ok()?;
            rest = after;
            packet(flags, kind, body).ok()
        })
    }
}

/// Whether the packet at the head of these bytes is all of them.
fn is_last(bytes: &[u8]) -> bool {
    split(bytes).is_ok_and(|(_, after)| after.is_empty())
}

/// The body (after the common header, without padding) of the packet at the head, and what follows the packet.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), RtcpError> {
    let ([flags, _, l0, l1], rest) = bytes.split_first_chunk::<4>().ok_or(RtcpError::Truncated)?;
    let words = usize::from(u16::from_be_bytes([*l0, *l1]));
    let (mut body, after) = rest.split_at_checked(words * 4).ok_or(RtcpError::Truncated)?;
    if flags & 0x20 != 0 {
        let count = usize::from(*body.last().ok_or(RtcpError::Padding)?);
        let kept = body.len().checked_sub(count).filter(|_| count > 0).ok_or(RtcpError::Padding)?;
        body = body.get(..kept).ok_or(RtcpError::Padding)?;
    }
    Ok((body, after))
}

fn packet(flags: u8, kind: u8, body: &[u8]) -> Result<RtcpPacket<'_>, RtcpError> {
    let count = flags & 0x1f;
    Ok(match kind {
        SENDER_REPORT => {
            let (ssrc, rest) = body.split_first_chunk::<4>().ok_or(RtcpError::Truncated)?;
            let (info, rest) = rest.split_first_chunk::<20>().ok_or(RtcpError::Truncated)?;
            RtcpPacket::SenderReport(u32::from_be_bytes(*ssrc), sender_info(info), report(count, rest)?)
        }
        RECEIVER_REPORT => {
            let (ssrc, rest) = body.split_first_chunk::<4>().ok_or(RtcpError::Truncated)?;
            RtcpPacket::ReceiverReport(u32::from_be_bytes(*ssrc), report(count, rest)?)
        }
        SOURCE_DESCRIPTION => RtcpPacket::SourceDescription(Sdes(count, body)),
        GOODBYE => RtcpPacket::Goodbye(Sources(body.get(..usize::from(count) * 4).ok_or(RtcpError::Truncated)?)),
        other => RtcpPacket::Other(other),
    })
}

fn report(count: u8, rest: &[u8]) -> Result<Report<'_>, RtcpError> {
    // What follows the blocks is a profile's extension; ours has none, so it is passed over.
    rest.get(..usize::from(count) * 24).map(Report).ok_or(RtcpError::Truncated)
}

fn sender_info(b: &[u8; 20]) -> SenderInfo {
    let word = |i: usize| u32::from_be_bytes([b[i * 4], b[i * 4 + 1], b[i * 4 + 2], b[i * 4 + 3]]);
    SenderInfo {
        ntp: u64::from(word(0)) << 32 | u64::from(word(1)),
        rtp_timestamp: word(2),
        packets: word(3),
        octets: word(4),
    }
}
