//! RTP and RTCP packets (RFC 3550, RFC 3551)
