//! Negotiated streams: SDP, RTP, codecs, jitter buffer (RFC 3264, RFC 3550)
