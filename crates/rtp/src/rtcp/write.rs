use super::{GOODBYE, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo};

/// Appends RTCP packets to a buffer. A compound begins with a report and holds a source description with a canonical name
/// (RFC 3550 section 6.1); the caller keeps to that order.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Writer { out }
    }

    /// A sender report (with `info`) or a receiver report (without), with at most 31 blocks; more are left out.
    pub fn report(&mut self, ssrc: u32, info: Option<SenderInfo>, blocks: &[ReportBlock]) -> &mut Self {
        let blocks = blocks.get(..31).unwrap_or(blocks);
        let kind = if info.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
        self.packet(blocks.len() as u8, kind, |out| {
            out.extend_from_slice(&ssrc.to_be_bytes());
            if let Some(info) = info {
                out.extend_from_slice(&info.ntp.to_be_bytes());
                for word in [info.rtp_timestamp, info.packets, info.octets] {
                    out.extend_from_slice(&word.to_be_bytes());
                }
            }
            for block in blocks {
                let lost = block.cumulative_lost.cast_unsigned() & 0x00ff_ffff;
                let second = u32::from(block.fraction_lost) << 24 | lost;
                for word in
                    [block.ssrc, second, block.extended_max, block.jitter, block.last_sr, block.delay_since_last_sr]
                {
                    out.extend_from_slice(&word.to_be_bytes());
                }
            }
        })
    }

    /// A source description with a canonical name; what is beyond 255 bytes of it is cut.
    pub fn cname(&mut self, ssrc: u32, cname: &str) -> &mut Self {
        let name = cname.as_bytes();
        let name = name.get(..255).unwrap_or(name);
        self.packet(1, SOURCE_DESCRIPTION, |out| {
            out.extend_from_slice(&ssrc.to_be_bytes());
            out.extend_from_slice(&[1, name.len() as u8]);
            out.extend_from_slice(name);
            // The list of items ends with a zero byte even where it would end at a word anyway.
            out.push(0);
        })
    }

    /// A source that leaves.
    pub fn goodbye(&mut self, ssrc: u32) -> &mut Self {
        self.packet(1, GOODBYE, |out| out.extend_from_slice(&ssrc.to_be_bytes()))
    }

    fn packet(&mut self, count: u8, kind: u8, body: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let start = self.out.len();
        self.out.extend_from_slice(&[0x80 | count, kind, 0, 0]);
        body(self.out);
        while !(self.out.len() - start).is_multiple_of(4) {
            self.out.push(0);
        }
        let words = ((self.out.len() - start) / 4 - 1) as u16;
        if let Some(length) = self.out.get_mut(start + 2..start + 4) {
            length.copy_from_slice(&words.to_be_bytes());
        }
        self
    }
}
