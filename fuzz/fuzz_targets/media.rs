//! Session descriptions and media packets from strangers. Nothing may panic, and what we answer and write again, we can read.

#![no_main]

use rtp::rtcp::Compound;
use rtp::{Packet, PacketKind, TelephoneEvent};
use sdp::{LocalCapabilities, SessionDescription};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = PacketKind::of(data);
    if let Ok(packet) = Packet::parse(data) {
        let _ = (packet.csrcs().count(), packet.extension(), TelephoneEvent::parse(packet.payload()));
    }
    if let Ok(compound) = Compound::parse(data) {
        let _ = compound.packets().count();
    }
    let Ok(theirs) = SessionDescription::parse(data) else { return };
    assert_eq!(read_again(&theirs).media.len(), theirs.media.len());
    let local = LocalCapabilities::new(7, ([192, 0, 2, 1], 20_000).into());
    if let Ok(answer) = sdp::answer(&theirs, &local, None) {
        let ours = read_again(&answer.description);
        // One line for one line (RFC 3264 section 6).
        assert_eq!(ours.media.len(), theirs.media.len());
    }
    let _ = sdp::accept_answer(&sdp::offer(&local, None), &theirs);
});

fn read_again(description: &SessionDescription) -> SessionDescription {
    SessionDescription::parse(description.to_string().as_bytes()).expect("what we write can be read")
}
