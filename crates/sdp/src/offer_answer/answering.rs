//! Answering an offer (RFC 3264 section 6).

use std::fmt;

use super::result::{Remote, ptime_ms, usable};
use super::{LocalCapabilities, MediaError, Negotiated, NegotiatedAudio, refused};
use crate::SessionDescription;

/// Our answer, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What to send.
    pub description: SessionDescription,
    /// What to do once it is sent.
    pub negotiated: Negotiated,
}

/// The offer asks for streams and we can take none of them: 488 Not Acceptable Here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerError {
    /// Every line of the offer with the reason it is refused, in order.
    pub refused: Vec<(usize, MediaError)>,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing in the offer can be accepted")?;
        self.refused.iter().try_for_each(|(index, why)| write!(f, "; media line {}: {why}", index + 1))
    }
}

impl std::error::Error for AnswerError {}

/// Our answer to `offer` with what `local` can do: the first audio line that works is taken, with the first of its codecs
/// that we have; all others are refused in their place.
///
/// `previous` is the last description we sent in this session, if any: the origin continues it.
///
/// # Errors
/// When the offer has live lines and none can be taken. (An offer that only removes streams is answered.)
pub fn answer(
    offer: &SessionDescription,
    local: &LocalCapabilities,
    previous: Option<&SessionDescription>,
) -> Result<Answer, AnswerError> {
    let mut media = Vec::with_capacity(offer.media.len());
    let mut why = Vec::new();
    let mut audio: Vec<NegotiatedAudio> = Vec::new();
    for (index, line) in offer.media.iter().enumerate() {
        let taken = if audio.is_empty() { take(offer, index, local) } else { Err(MediaError::OneStreamOnly) };
        match taken {
            Ok(stream) => {
                let format = [(stream.payload_type, stream.codec)];
                media.push(local.audio(&format, stream.telephone_event, stream.direction, stream.rtcp_mux));
                audio.push(stream);
            }
            Err(error) => {
                media.push(refused(line));
                why.push((index, error));
            }
        }
    }
    if audio.is_empty() && why.iter().any(|(_, error)| *error != MediaError::Removed) {
        return Err(AnswerError { refused: why });
    }
    // "The t= line in the answer MUST equal that of the offer" (section 6); without one the writer says "0 0".
    let times = offer.lines.iter().filter(|l| matches!(l.kind, 't' | 'r' | 'z') && l.value.trim() != "0 0");
    let description = local.describe(media, times.cloned().collect(), previous);
    Ok(Answer { description, negotiated: Negotiated { audio } })
}

fn take(offer: &SessionDescription, index: usize, local: &LocalCapabilities) -> Result<NegotiatedAudio, MediaError> {
    let line = offer.media.get(index).ok_or(MediaError::Removed)?;
    let Remote { rtp, rtcp, direction } = usable(offer, line)?;
    let (payload_type, codec) = line
        .payload_types()
        .find_map(|pt| line.codec_of(pt).filter(|c| local.codecs.contains(c)).map(|c| (pt, c)))
        .ok_or(MediaError::NoCommonCodec)?;
    let rtcp_mux = local.rtcp_mux && line.has("rtcp-mux");
    let telephone_event = line.telephone_event(codec.clock_rate_hz()).filter(|_| local.telephone_event);
    Ok(NegotiatedAudio {
        media_index: index,
        codec,
        payload_type,
        receive: vec![(payload_type, codec)],
        remote: rtp,
        remote_rtcp: if rtcp_mux { rtp } else { rtcp },
        rtcp_mux,
        direction: direction.mirrored().intersect(local.direction),
        ptime_ms: ptime_ms(line, local.ptime_ms),
        telephone_event,
        telephone_event_receive: telephone_event,
    })
}
