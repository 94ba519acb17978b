//! RTP and RTCP packets of other stacks, and every cut of them: none may crash us.
#![allow(clippy::disallowed_methods)] // a test finds its material through the environment

use std::path::{Path, PathBuf};

use rtp::Packet;
use rtp::rtcp::{Compound, RtcpPacket};

fn corpus() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    std::env::var_os("RINGBACK_CORPUS")
        .map(PathBuf::from)
        .or(Some(own))
        .map(|c| c.join("rtp-rtcp"))
        .filter(|c| c.is_dir())
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { files(&entry.path(), into) } else { into.push(entry.path()) }
    }
}

/// Reads everything there is to read.
fn exercise(bytes: &[u8]) -> (bool, bool) {
    let packet = Packet::parse(bytes);
    if let Ok(packet) = packet {
        assert!(packet.csrcs().count() <= 15 && packet.payload().len() <= bytes.len());
    }
    let compound = Compound::parse(bytes);
    if let Ok(compound) = compound {
        for packet in compound.packets() {
            match packet {
                RtcpPacket::SenderReport(_, _, report) | RtcpPacket::ReceiverReport(_, report) => {
                    assert!(report.blocks().count() < 32);
                }
                RtcpPacket::SourceDescription(sdes) => assert_eq!(sdes.cname_of(0xffff_fffe), None),
                RtcpPacket::Goodbye(sources) => assert!(sources.iter().count() < 32),
                RtcpPacket::Other(_) => {}
            }
        }
    }
    (packet.is_ok(), compound.is_ok())
}

#[test]
fn packets_of_others() {
    let Some(corpus) = corpus() else {
        println!("no corpus: 0 cases");
        return;
    };
    let mut found = Vec::new();
    files(&corpus, &mut found);
    let (mut cases, mut rtp, mut rtcp) = (0, 0, 0);
    for file in &found {
        let bytes = std::fs::read(file).expect("the file can be read");
        for end in 0..=bytes.len() {
            for start in [0, 2, 4] {
                let (is_rtp, is_rtcp) = exercise(bytes.get(start..end).unwrap_or_default());
                (cases, rtp, rtcp) = (cases + 1, rtp + usize::from(is_rtp), rtcp + usize::from(is_rtcp));
            }
        }
    }
    println!("{} files, {cases} cases: {rtp} read as RTP, {rtcp} as RTCP", found.len());
    assert!(rtp > 0 && rtcp > 0);
}
