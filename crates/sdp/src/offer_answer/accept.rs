//! What the answer to our offer means (RFC 3264 section 7).

use std::fmt;

use super::result::{Remote, ptime_ms, usable};
use super::{MediaError, Negotiated, NegotiatedAudio, PTIME_MS_DEFAULT};
use crate::SessionDescription;

/// The answer does not fit the offer. The session goes on as it was, or ends if it was new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptError {
    /// The answer has another number of media lines than the offer (RFC 3264 section 6).
    MediaCount {
        /// Lines in our offer.
        offered: usize,
        /// Lines in the answer.
        answered: usize,
    },
    /// A line that the answer accepts cannot be used: its index, and why.
    Line(usize, MediaError),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AcceptError::MediaCount { offered, answered } => {
                write!(f, "the answer has {answered} media lines, the offer {offered}")
            }
            AcceptError::Line(index, why) => write!(f, "the answer's media line {}: {why}", index + 1),
        }
    }
}

impl std::error::Error for AcceptError {}

/// What was agreed on when `answer` came to our `offer`. Empty when every line was refused.
///
/// # Errors
/// When the answer's lines do not match the offer's, or an accepted line cannot be used.
pub fn accept_answer(offer: &SessionDescription, answer: &SessionDescription) -> Result<Negotiated, AcceptError> {
    let (offered, answered) = (offer.media.len(), answer.media.len());
    if offered != answered {
        return Err(AcceptError::MediaCount { offered, answered });
    }
    let mut audio = Vec::new();
    for index in 0..offered {
        match stream(offer, answer, index) {
            Ok(stream) => audio.push(stream),
            Err(MediaError::Removed) => {}
            Err(error) => return Err(AcceptError::Line(index, error)),
        }
    }
    Ok(Negotiated { audio })
}

fn stream(
    offer: &SessionDescription,
    answer: &SessionDescription,
    index: usize,
) -> Result<NegotiatedAudio, MediaError> {
    let (Some(ours), Some(theirs)) = (offer.media.get(index), answer.media.get(index)) else {
        return Err(MediaError::Removed);
    };
    // A line that we offered with port 0 stays dead whatever the answer says (RFC 3264 section 8.2).
    if ours.port == 0 {
        return Err(MediaError::Removed);
    }
    let Remote { rtp, rtcp, direction } = usable(answer, theirs)?;
    // We send with the answer's numbers and receive with our own; they may differ (RFC 3264 section 5.1).
    let ours_of = |codec| ours.payload_types().find(|pt| ours.codec_of(*pt) == Some(codec));
    let mut common = Vec::new();
    for payload_type in theirs.payload_types() {
        if let Some(codec) = theirs.codec_of(payload_type)
            && let Some(receive) = ours_of(codec)
            && !common.iter().any(|(_, _, c)| *c == codec)
        {
            common.push((payload_type, receive, codec));
        }
    }
    let &(payload_type, _, codec) = common.first().ok_or(MediaError::NoCommonCodec)?;
    let events = theirs.telephone_event(codec.clock_rate_hz());
    let events_receive = ours.telephone_event(codec.clock_rate_hz());
    let rtcp_mux = ours.has("rtcp-mux") && theirs.has("rtcp-mux");
    Ok(NegotiatedAudio {
        media_index: index,
        codec,
        payload_type,
        receive: common.iter().map(|(_, receive, codec)| (*receive, *codec)).collect(),
        remote: rtp,
        remote_rtcp: if rtcp_mux { rtp } else { rtcp },
        rtcp_mux,
        direction: direction.mirrored().intersect(offer.direction_of(ours)),
        ptime_ms: ptime_ms(theirs, ours.ptime_ms().unwrap_or(PTIME_MS_DEFAULT)),
        telephone_event: events.filter(|_| events_receive.is_some()),
        telephone_event_receive: events_receive.filter(|_| events.is_some()),
    })
}
