//! G.711: 16-bit samples to 8-bit A-law and mu-law and back, by table (ITU-T G.711, with the bit-exact rules of the ITU's
//! software tool library, G.191).

use sdp::Codec;

static ALAW_ENCODE: [u8; 4096] = alaw_encode_table();
static ULAW_ENCODE: [u8; 16384] = ulaw_encode_table();
static ALAW_DECODE: [i16; 256] = decode_table(Codec::Pcma);
static ULAW_DECODE: [i16; 256] = decode_table(Codec::Pcmu);

/// Appends one byte per sample to `out`.
pub fn encode(codec: Codec, samples: &[i16], out: &mut Vec<u8>) {
    match codec {
        Codec::Pcma => out.extend(samples.iter().map(|s| alaw(*s))),
        Codec::Pcmu => out.extend(samples.iter().map(|s| ulaw(*s))),
    }
}

/// The samples of a payload, one per byte.
pub fn decode(codec: Codec, payload: &[u8]) -> impl ExactSizeIterator<Item = i16> {
    let table = match codec {
        Codec::Pcma => &ALAW_DECODE,
        Codec::Pcmu => &ULAW_DECODE,
    };
    payload.iter().map(move |b| table[usize::from(*b)])
}

/// The byte of one sample in A-law: its upper 12 bits decide.
fn alaw(sample: i16) -> u8 {
    ALAW_ENCODE[usize::from(sample.cast_unsigned() >> 4)]
}

/// The byte of one sample in mu-law: its upper 14 bits decide.
fn ulaw(sample: i16) -> u8 {
    ULAW_ENCODE[usize::from(sample.cast_unsigned() >> 2)]
}

const fn alaw_encode_table() -> [u8; 4096] {
    let mut table = [0; 4096];
    let mut index = 0;
    while index < table.len() {
        // The index is a 12-bit two's complement number; negative ones are complemented, as the ITU's code does.
        let negative = index >= 2048;
        let magnitude = if negative { 4095 - index } else { index } as u32;
        let byte = if magnitude < 32 {
            magnitude // segments 0 and 1 have the same step
        } else {
            let segment = 28 - magnitude.leading_zeros(); // 32..=63 is segment 2
            (segment << 4) | ((magnitude >> (segment - 1)) & 0x0f)
        };
        let sign = if negative { 0 } else { 0x80 };
        table[index] = (byte as u8 | sign) ^ 0x55;
        index += 1;
    }
    table
}

const fn ulaw_encode_table() -> [u8; 16384] {
    let mut table = [0; 16384];
    let mut index = 0;
    while index < table.len() {
        let negative = index >= 8192;
        let magnitude = if negative { 16383 - index } else { index } as u32 + 33;
        let magnitude = if magnitude > 0x1fff { 0x1fff } else { magnitude };
        let segment = 26 - magnitude.leading_zeros(); // 33..=63 is segment 0
        let byte = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0f);
        let sign = if negative { 0 } else { 0x80 };
        table[index] = (!(byte as u8) & 0x7f) | sign;
        index += 1;
    }
    table
}

const fn decode_table(codec: Codec) -> [i16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let byte = index as u8;
        let (bits, magnitude) = match codec {
            Codec::Pcma => {
                let bits = byte ^ 0x55;
                let (segment, step) = ((bits >> 4) & 7, (bits & 0x0f) as i16);
                let magnitude = match segment {
                    0 => (step << 4) + 8,
                    _ => ((step << 4) + 0x108) << (segment - 1),
                };
                (bits, magnitude)
            }
            Codec::Pcmu => {
                let bits = !byte;
                let (segment, step) = ((bits >> 4) & 7, (bits & 0x0f) as i16);
                (bits ^ 0x80, (((step << 3) + 0x84) << segment) - 0x84)
            }
        };
        table[index] = if bits & 0x80 != 0 { magnitude } else { -magnitude };
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(codec: Codec, sample: i16) -> u8 {
        let mut out = Vec::new();
        encode(codec, &[sample], &mut out);
        out[0]
    }

    fn decoded(codec: Codec, byte: u8) -> i16 {
        decode(codec, &[byte]).next().unwrap()
    }

    /// Values of G.711 tables 1a, 1b, 2a, 2b, scaled to 16 bits: byte, the sample it decodes to.
    #[test]
    fn values_of_the_recommendation() {
        let table = [
            (Codec::Pcma, 0xd5, 8),
            (Codec::Pcma, 0x55, -8),
            (Codec::Pcma, 0xaa, 32256),
            (Codec::Pcma, 0x2a, -32256),
            (Codec::Pcma, 0xd4, 24),
            (Codec::Pcma, 0x80, 5504),
            (Codec::Pcma, 0xc5, 264),
            (Codec::Pcmu, 0xff, 0),
            (Codec::Pcmu, 0x7f, 0),
            (Codec::Pcmu, 0xfe, 8),
            (Codec::Pcmu, 0x7e, -8),
            (Codec::Pcmu, 0x80, 32124),
            (Codec::Pcmu, 0x00, -32124),
            (Codec::Pcmu, 0xef, 132),
            (Codec::Pcmu, 0xf0, 120),
        ];
        for (codec, byte, sample) in table {
            assert_eq!(decoded(codec, byte), sample, "{codec:?} {byte:#04x}");
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        for (codec, sample, byte) in [
            (Codec::Pcma, 0, 0xd5),
            (Codec::Pcma, -1, 0x55),
            (Codec::Pcma, i16::MAX, 0xaa),
            (Codec::Pcma, i16::MIN, 0x2a),
            (Codec::Pcmu, 0, 0xff),
            (Codec::Pcmu, -1, 0x7f),
            (Codec::Pcmu, i16::MAX, 0x80),
            (Codec::Pcmu, i16::MIN, 0x00),
        ] {
            assert_eq!(encoded(codec, sample), byte, "{codec:?} {sample}");
        }
    }

    /// Every byte survives being decoded and encoded; mu-law's negative zero alone becomes the positive one.
    #[test]
    fn every_byte_survives() {
        for byte in 0..=255 {
            assert_eq!(encoded(Codec::Pcma, decoded(Codec::Pcma, byte)), byte);
            let expected = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(encoded(Codec::Pcmu, decoded(Codec::Pcmu, byte)), expected);
        }
    }

    /// The rule itself: what is decoded is never further off than half a step of its segment, for all 65536 samples.
    #[test]
    fn no_sample_is_further_off_than_its_segment_allows() {
        for sample in i16::MIN..=i16::MAX {
            for codec in Codec::ALL {
                let error = i32::from(sample) - i32::from(decoded(codec, encoded(codec, sample)));
                let magnitude = i32::from(sample).abs();
                let clipped = magnitude > 32124;
                let half_step = if clipped { 644 } else { (magnitude + 132) / 32 + 8 };
                assert!(error.abs() <= half_step, "{codec:?} {sample}: off by {error}");
            }
        }
    }
}
