//! Making an offer, the first or a later one.

use super::{LocalCapabilities, TELEPHONE_EVENT_PAYLOAD_TYPE, refused};
use crate::{Codec, Media, SessionDescription};

/// Our offer of one audio stream with what `local` can do (RFC 3264 section 5).
///
/// `previous` is the last description we sent in this session, offer or answer: its lines stay in place, its payload
/// types keep their meaning, and the origin version grows by one if anything changed (section 8).
pub fn offer(local: &LocalCapabilities, previous: Option<&SessionDescription>) -> SessionDescription {
    let lines = previous.map_or(&[][..], |p| &p.media);
    let slot = audio_slot(lines);
    let old = slot.and_then(|i| lines.get(i));
    let formats: Vec<(u8, Codec)> = local.codecs.iter().map(|c| (payload_type_of(*c, old), *c)).collect();
    let events = local.telephone_event.then(|| event_payload_type(old, &formats));
    let audio = local.audio(&formats, events, local.direction, local.rtcp_mux);

    let mut media: Vec<Media> = lines.iter().map(refused).collect();
    match slot.and_then(|i| media.get_mut(i)) {
        Some(place) => *place = audio,
        None => media.push(audio),
    }
    local.describe(media, Vec::new(), previous)
}

/// The line of the previous description that the audio stream continues in: a live one, else a disabled one.
fn audio_slot(lines: &[Media]) -> Option<usize> {
    let audio = |m: &Media| m.is_plain_audio();
    lines.iter().position(|m| audio(m) && m.port != 0).or_else(|| lines.iter().position(audio))
}

/// The payload type this codec had in the line before, or its static one.
fn payload_type_of(codec: Codec, old: Option<&Media>) -> u8 {
    old.and_then(|m| m.payload_types().find(|pt| m.codec_of(*pt) == Some(codec)))
        .unwrap_or_else(|| codec.static_payload_type())
}

/// The payload type of telephone-event: what it was before, else 101, else the first dynamic one that means nothing else.
fn event_payload_type(old: Option<&Media>, formats: &[(u8, Codec)]) -> u8 {
    if let Some(payload_type) = old.and_then(|m| m.telephone_event(8000)) {
        return payload_type;
    }
    let taken = |pt: &u8| {
        formats.iter().any(|(f, _)| f == pt) || old.is_some_and(|m| m.rtpmaps().any(|map| map.payload_type == *pt))
    };
    std::iter::once(TELEPHONE_EVENT_PAYLOAD_TYPE)
        .chain(96..=127)
        .find(|pt| !taken(pt))
        .unwrap_or(TELEPHONE_EVENT_PAYLOAD_TYPE)
}
