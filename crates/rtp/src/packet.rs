//! The RTP packet (RFC 3550 section 5.1).

use std::fmt;

/// Longest packet we look at: what fits a jumbo frame. A G.711 packet is 172 bytes.
pub const PACKET_BYTES_MAX: usize = 9000;

const HEADER_BYTES: usize = 12;

/// What a datagram on a media port is, by its first two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketKind {
    /// Looks like RTP.
    Rtp,
    /// Looks like RTCP (RFC 5761 section 4: packet types 192 to 223).
    Rtcp,
    /// Something else: STUN, DTLS, a keep-alive, junk (RFC 7983 section 7).
    Other,
}

impl PacketKind {
    /// Tells RTP, RTCP and everything else apart; says nothing about validity.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [first, second, ..] if first >> 6 == 2 => match second {
                192..=223 => PacketKind::Rtcp,
                _ => PacketKind::Rtp,
            },
            _ => PacketKind::Other,
        }
    }
}

/// Why a datagram is not RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketError {
    /// Shorter than its header, contributing sources or extension say.
    Truncated,
    /// Longer than [`PACKET_BYTES_MAX`].
    TooLong,
    /// The version is not 2.
    Version,
    /// The padding count is zero or larger than what is there.
    Padding,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PacketError::Truncated => "truncated RTP packet",
            PacketError::TooLong => "RTP packet too long",
            PacketError::Version => "not RTP version 2",
            PacketError::Padding => "bad RTP padding",
        })
    }
}

impl std::error::Error for PacketError {}

/// The fields of an RTP header that change from packet to packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The marker bit: for audio, the first packet after silence (RFC 3551 section 4.1).
    pub marker: bool,
    /// 0..=127.
    pub payload_type: u8,
    /// Grows by one per packet, modulo 2^16.
    pub sequence: u16,
    /// In units of the codec's clock rate, modulo 2^32.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
}

/// An RTP packet, read in place. A value that exists has been checked (RFC 3550 appendix A.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The fixed fields.
    pub header: Header,
    csrcs: &'a [u8],
    extension: Option<(u16, &'a [u8])>,
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// When the version, or any length that the header claims, does not fit the datagram.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        if bytes.len() > PACKET_BYTES_MAX {
            return Err(PacketError::TooLong);
        }
        let (head, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(PacketError::Truncated)?;
        let [vpxcc, mpt, s0, s1, t0, t1, t2, t3, x0, x1, x2, x3] = *head;
        if vpxcc >> 6 != 2 {
            return Err(PacketError::Version);
        }
        let csrc_bytes = usize::from(vpxcc & 0x0f) * 4;
        let (csrcs, mut rest) = rest.split_at_checked(csrc_bytes).ok_or(PacketError::Truncated)?;
        let mut extension = None;
        if vpxcc & 0x10 != 0 {
            let ([p0, p1, l0, l1], after) = rest.split_first_chunk::<4>().ok_or(PacketError::Truncated)?;
            let words = usize::from(u16::from_be_bytes([*l0, *l1]));
            let (data, after) = after.split_at_checked(words * 4).ok_or(PacketError::Truncated)?;
            extension = Some((u16::from_be_bytes([*p0, *p1]), data));
            rest = after;
        }
        if vpxcc & 0x20 != 0 {
            let count = usize::from(*rest.last().ok_or(PacketError::Padding)?);
            let kept = rest.len().checked_sub(count).filter(|_| count > 0).ok_or(PacketError::Padding)?;
            rest = rest.get(..kept).ok_or(PacketError::Padding)?;
        }
        Ok(Packet {
            header: Header {
                marker: mpt & 0x80 != 0,
                payload_type: mpt & 0x7f,
                sequence: u16::from_be_bytes([s0, s1]),
                timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
                ssrc: u32::from_be_bytes([x0, x1, x2, x3]),
            },
            csrcs,
            extension,
            payload: rest,
        })
    }

    /// The contributing sources, at most 15.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.csrcs.as_chunks::<4>().0.iter().map(|c| u32::from_be_bytes(*c))
    }

    /// The header extension: its profile's 16 bits and its data, a multiple of 4 bytes (RFC 3550 section 5.3.1).
    pub fn extension(&self) -> Option<(u16, &'a [u8])> {
        self.extension
    }

    /// What is carried, without padding.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// Appends a packet without contributing sources, extension or padding to `out`; the payload is written by `payload`.
pub fn write_packet(header: &Header, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[0x80, u8::from(header.marker) << 7 | (header.payload_type & 0x7f)]);
    out.extend_from_slice(&header.sequence.to_be_bytes());
    out.extend_from_slice(&header.timestamp.to_be_bytes());
    out.extend_from_slice(&header.ssrc.to_be_bytes());
    payload(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header =
        Header { marker: true, payload_type: 8, sequence: 0xfffe, timestamp: 0xdead_beef, ssrc: 0x0102_0304 };

    fn plain() -> Vec<u8> {
        let mut bytes = Vec::new();
        write_packet(&HEADER, &mut bytes, |out| out.extend_from_slice(b"payload"));
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = plain();
        assert_eq!(bytes[..4], [0x80, 0x88, 0xff, 0xfe]);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!((packet.header, packet.payload()), (HEADER, &b"payload"[..]));
        assert_eq!((packet.csrcs().count(), packet.extension()), (0, None));
    }

    #[test]
    fn every_optional_part_is_found_and_every_cut_is_noticed() {
        let mut bytes = vec![0xb2, 0x08, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend_from_slice(&[0, 0, 0, 10, 0, 0, 0, 11]); // two contributing sources
        bytes.extend_from_slice(&[0xbe, 0xde, 0, 1, 1, 2, 3, 4]); // an extension of one word
        bytes.extend_from_slice(&[7, 7, 7, 0, 0, 3]); // payload and three bytes of padding
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.csrcs().collect::<Vec<_>>(), [10, 11]);
        assert_eq!(packet.extension(), Some((0xbede, &[1, 2, 3, 4][..])));
        assert_eq!(packet.payload(), [7, 7, 7]);
        for length in 0..28 {
            assert_eq!(Packet::parse(&bytes[..length]), Err(PacketError::Truncated), "cut at {length}");
        }
        for padding in [0, 7, 255] {
            *bytes.last_mut().unwrap() = padding;
            assert_eq!(Packet::parse(&bytes), Err(PacketError::Padding));
        }
        assert_eq!(Packet::parse(&bytes[..28]), Err(PacketError::Padding));
    }

    #[test]
    fn other_versions_and_lengths_are_refused() {
        let mut bytes = plain();
        for first in [0x00, 0x40, 0xc0] {
            bytes[0] = first;
            assert_eq!(Packet::parse(&bytes), Err(PacketError::Version));
        }
        let mut bytes = plain();
        bytes.resize(PACKET_BYTES_MAX, 0);
        assert!(Packet::parse(&bytes).is_ok());
        bytes.push(0);
        assert_eq!(Packet::parse(&bytes), Err(PacketError::TooLong));
    }

    #[test]
    fn kinds_are_told_apart_by_two_bytes() {
        assert_eq!(PacketKind::of(&plain()), PacketKind::Rtp);
        for (bytes, kind) in [
            (&[][..], PacketKind::Other),
            (&[0x80], PacketKind::Other),
            (&[0x80, 200], PacketKind::Rtcp),
            (&[0x81, 201], PacketKind::Rtcp),
            (&[0x80, 0x80 | 63], PacketKind::Rtp),
            (&[0x00, 0x01, 0, 0], PacketKind::Other),
            (&[22, 254], PacketKind::Other),
        ] {
            assert_eq!(PacketKind::of(bytes), kind, "{bytes:?}");
        }
    }
}
