use super::*;

const INFO: SenderInfo = SenderInfo { ntp: 0x0102_0304_0506_0708, rtp_timestamp: 160, packets: 10, octets: 1600 };
const BLOCK: ReportBlock = ReportBlock {
    ssrc: 0xaaaa_bbbb,
    fraction_lost: 26,
    cumulative_lost: -3,
    extended_max: 0x0001_0002,
    jitter: 5,
    last_sr: 0x0304_0506,
    delay_since_last_sr: 65536,
};

fn compound() -> Vec<u8> {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).report(1, Some(INFO), &[BLOCK, BLOCK]).cname(1, "abc@host").goodbye(1);
    bytes
}

#[test]
fn what_is_written_is_read() {
    let bytes = compound();
    let packets: Vec<_> = Compound::parse(&bytes).unwrap().packets().collect();
    let [RtcpPacket::SenderReport(1, INFO, report), RtcpPacket::SourceDescription(sdes), RtcpPacket::Goodbye(bye)] =
        packets[..]
    else {
        panic!("{packets:?}")
    };
    assert_eq!(report.blocks().collect::<Vec<_>>(), [BLOCK, BLOCK]);
    assert_eq!((sdes.cname_of(1), sdes.cname_of(2)), (Some(&b"abc@host"[..]), None));
    assert_eq!(bye.iter().collect::<Vec<_>>(), [1]);

    let mut bytes = Vec::new();
    Writer::new(&mut bytes).report(7, None, &[]);
    assert_eq!(bytes, [0x80, 201, 0, 1, 0, 0, 0, 7]);
    assert!(matches!(
        Compound::parse(&bytes).unwrap().packets().next(),
        Some(RtcpPacket::ReceiverReport(7, r)) if r.blocks().count() == 0
    ));
}

#[test]
fn names_of_every_length_end_at_a_word() {
    for length in 0..=300 {
        let mut bytes = Vec::new();
        let name = "n".repeat(length);
        Writer::new(&mut bytes).report(1, None, &[]).cname(9, &name).goodbye(9);
        let packets: Vec<_> = Compound::parse(&bytes).unwrap().packets().collect();
        let RtcpPacket::SourceDescription(sdes) = packets[1] else { panic!("{packets:?}") };
        assert_eq!(sdes.cname_of(9).unwrap().len(), length.min(255));
        assert!(matches!(packets[2], RtcpPacket::Goodbye(_)));
    }
}

#[test]
fn no_more_than_31_blocks_are_written() {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).report(1, None, &[BLOCK; 40]);
    let Some(RtcpPacket::ReceiverReport(1, report)) = Compound::parse(&bytes).unwrap().packets().next() else {
        panic!("a receiver report")
    };
    assert_eq!(report.blocks().count(), 31);
}

#[test]
fn malformed_compounds_are_refused() {
    let good = compound();
    for length in 0..good.len() {
        let whole = [76, 96]; // cut between packets: a compound all the same
        assert_eq!(Compound::parse(&good[..length]).is_ok(), whole.contains(&length), "cut at {length}");
    }
    let changed = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        Compound::parse(&bytes).unwrap_err()
    };
    assert_eq!(changed(0, 0x42), RtcpError::Version);
    assert_eq!(changed(1, 202), RtcpError::First);
    assert_eq!(changed(0, 0xa2), RtcpError::First);
    assert_eq!(changed(76, 0x41), RtcpError::Version);
    assert_eq!(changed(76, 0xa1), RtcpError::Padding);
    assert_eq!(changed(0, 0x83), RtcpError::Truncated);
    let mut padded = good.clone();
    (padded[76], padded[95]) = (0xa1, 4);
    assert_eq!(Compound::parse(&padded).unwrap_err(), RtcpError::Padding, "only the last may be padded");
    assert!(Compound::parse(&padded[..96]).is_ok());
    let mut long = good.clone();
    long.resize(COMPOUND_BYTES_MAX + 4, 0);
    assert_eq!(Compound::parse(&long).unwrap_err(), RtcpError::TooLong);
}
