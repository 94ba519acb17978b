//! RTCP compound packets (RFC 3550 section 6): [`Compound`] reads, [`Writer`] writes.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Compound, Report, RtcpError, RtcpPacket, Sdes, Sources};
pub use write::Writer;

/// Longest compound packet we read or write: one Ethernet frame's worth.
pub const COMPOUND_BYTES_MAX: usize = 1500;

pub(crate) const SENDER_REPORT: u8 = 200;
pub(crate) const RECEIVER_REPORT: u8 = 201;
pub(crate) const SOURCE_DESCRIPTION: u8 = 202;
pub(crate) const GOODBYE: u8 = 203;

/// What a receiver says about one source (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source reported on.
    pub ssrc: u32,
    /// Loss since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Loss since the beginning: 24 bits, signed.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with its cycles.
    pub extended_max: u32,
    /// Interarrival jitter in units of the codec's clock rate.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time of the last sender report from this source; 0 for none.
    pub last_sr: u32,
    /// How long ago that came, in units of 1/65536 s.
    pub delay_since_last_sr: u32,
}

/// What a sender says about itself (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// Calendar time in NTP's 32.32 fixed point.
    pub ntp: u64,
    /// The same moment in the units and offset of the RTP timestamps.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}
