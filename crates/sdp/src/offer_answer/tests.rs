use crate::{
    AcceptError, Codec, Direction, LocalCapabilities, MediaError, SessionDescription, accept_answer, answer, offer,
};

fn local() -> LocalCapabilities {
    LocalCapabilities::new(7, "192.0.2.1:10000".parse().unwrap())
}

/// A description with this connection and these media lines, `|` between lines.
fn remote(connection: &str, media: &str) -> SessionDescription {
    let text = format!("v=0\no=- 1 1 IN IP4 198.51.100.1\ns=-\nc={connection}\nt=0 0\n{}\n", media.replace('|', "\n"));
    SessionDescription::parse(text.as_bytes()).unwrap()
}

fn media_text(description: &SessionDescription) -> String {
    let text = description.to_string();
    let start = text.find("m=").unwrap_or(text.len());
    text[start..].trim_end().replace("\r\n", "|")
}

/// offer's media lines => answer's media lines; the last column is codec, payload type, direction, ptime, events.
const ANSWERS: &[(&str, &str, &str)] = &[
    // Static payload types need no rtpmap.
    (
        "m=audio 4000 RTP/AVP 0",
        "m=audio 10000 RTP/AVP 0|a=rtpmap:0 PCMU/8000|a=ptime:20|a=sendrecv",
        "PCMU 0 sendrecv 20 -",
    ),
    // The first codec of the offer that we have wins, whatever our own order.
    (
        "m=audio 4000 RTP/AVP 18 8 0",
        "m=audio 10000 RTP/AVP 8|a=rtpmap:8 PCMA/8000|a=ptime:20|a=sendrecv",
        "PCMA 8 sendrecv 20 -",
    ),
    // Telephone-event keeps the offerer's number; case of names is nothing.
    (
        "m=audio 4000 RTP/AVP 0 97|a=rtpmap:97 TELEPHONE-EVENT/8000|a=fmtp:97 0-16|a=ptime:30",
        "m=audio 10000 RTP/AVP 0 97|a=rtpmap:0 PCMU/8000|a=rtpmap:97 telephone-event/8000|a=fmtp:97 0-15|a=ptime:20|a=sendrecv",
        "PCMU 0 sendrecv 30 97",
    ),
    // A telephone-event of another clock rate is for another codec.
    (
        "m=audio 4000 RTP/AVP 96 0 97|a=rtpmap:96 opus/48000/2|a=rtpmap:97 telephone-event/48000",
        "m=audio 10000 RTP/AVP 0|a=rtpmap:0 PCMU/8000|a=ptime:20|a=sendrecv",
        "PCMU 0 sendrecv 20 -",
    ),
    // A dynamic number for G.711, as RFC 3264 section 8.3.2 imagines.
    (
        "m=audio 4000 RTP/AVP 46|a=rtpmap:46 pcma/8000/1",
        "m=audio 10000 RTP/AVP 46|a=rtpmap:46 PCMA/8000|a=ptime:20|a=sendrecv",
        "PCMA 46 sendrecv 20 -",
    ),
    // Directions are mirrored.
    (
        "m=audio 4000 RTP/AVP 0|a=sendonly",
        "m=audio 10000 RTP/AVP 0|a=rtpmap:0 PCMU/8000|a=ptime:20|a=recvonly",
        "PCMU 0 recvonly 20 -",
    ),
    (
        "m=audio 4000 RTP/AVP 0|a=inactive",
        "m=audio 10000 RTP/AVP 0|a=rtpmap:0 PCMU/8000|a=ptime:20|a=inactive",
        "PCMU 0 inactive 20 -",
    ),
    // The old hold: an address of zero means "do not send to me".
    (
        "m=audio 4000 RTP/AVP 0|c=IN IP4 0.0.0.0",
        "m=audio 10000 RTP/AVP 0|a=rtpmap:0 PCMU/8000|a=ptime:20|a=recvonly",
        "PCMU 0 recvonly 20 -",
    ),
    // Multiplexed RTCP only if the offer says so.
    (
        "m=audio 4000 RTP/AVP 0|a=rtcp-mux",
        "m=audio 10000 RTP/AVP 0|a=rtpmap:0 PCMU/8000|a=ptime:20|a=sendrecv|a=rtcp-mux",
        "PCMU 0 sendrecv 20 -",
    ),
    // Lines we do not take stay in place with port 0; the second audio line, too.
    (
        "m=video 5000 RTP/AVP 31 32|m=audio 4000 RTP/AVP 0|m=audio 4002 RTP/AVP 8|m=audio 4004 RTP/SAVP 0",
        "m=video 0 RTP/AVP 31 32|m=audio 10000 RTP/AVP 0|a=rtpmap:0 PCMU/8000|a=ptime:20|a=sendrecv|m=audio 0 RTP/AVP 8|m=audio 0 RTP/SAVP 0",
        "PCMU 0 sendrecv 20 -",
    ),
    // Removing the stream is answered by removing it.
    ("m=audio 0 RTP/AVP 0", "m=audio 0 RTP/AVP 0", ""),
    // RFC 3264 section 6: no lines in, no lines out.
    ("", "", ""),
    // Packet times: within what the other can take, in steps of 10 ms.
    (
        "m=audio 4000 RTP/AVP 0|a=ptime:65|a=maxptime:40",
        "m=audio 10000 RTP/AVP 0|a=rtpmap:0 PCMU/8000|a=ptime:20|a=sendrecv",
        "PCMU 0 sendrecv 40 -",
    ),
];

#[test]
fn answers() {
    for (offered, expected, agreed) in ANSWERS {
        let answer = answer(&remote("IN IP4 198.51.100.2", offered), &local(), None).unwrap();
        assert_eq!(media_text(&answer.description), *expected, "answer to {offered}");
        let streams: Vec<String> = answer
            .negotiated
            .audio
            .iter()
            .map(|a| {
                let events = a.telephone_event.map_or("-".to_string(), |pt| pt.to_string());
                let (name, direction) = (a.codec.name(), a.direction.as_str());
                format!("{name} {} {direction} {} {events}", a.payload_type, a.ptime_ms)
            })
            .collect();
        assert_eq!(streams.join(","), *agreed, "agreement on {offered}");
    }
}

#[test]
fn an_offer_with_nothing_for_us_says_why_for_each_line() {
    let offered = remote(
        "IN IP4 phone.example.org",
        "m=audio 4000 RTP/AVP 0|m=audio 4000 RTP/AVP 9|c=IN IP4 198.51.100.2|m=video 1 RTP/AVP 31|m=audio 0 RTP/AVP 0\
         |m=audio 4000 RTP/AVP 0|c=IN IP4 233.252.0.1/127|m=audio 4000 RTP/AVP 0|c=IN IP4 233.252.0.1",
    );
    let error = answer(&offered, &local(), None).unwrap_err();
    assert_eq!(
        error.refused,
        [
            (0, MediaError::NotAnAddress("IN IP4 phone.example.org".into())),
            (1, MediaError::NoCommonCodec),
            (2, MediaError::NotPlainAudio("video".into(), "RTP/AVP".into())),
            (3, MediaError::Removed),
            (4, MediaError::NotAnAddress("IN IP4 233.252.0.1/127".into())),
            (5, MediaError::NotAnAddress("IN IP4 233.252.0.1".into())),
        ]
    );
    assert!(error.to_string().contains("media line 1: c=IN IP4 phone.example.org is a host name"));
}

#[test]
fn addresses_of_the_other_side() {
    let cases = [
        ("m=audio 4000 RTP/AVP 0", "198.51.100.2:4000", "198.51.100.2:4001"),
        ("m=audio 4000 RTP/AVP 0|c=IN IP6 2001:db8::5", "[2001:db8::5]:4000", "[2001:db8::5]:4001"),
        ("m=audio 4000 RTP/AVP 0|a=rtcp:5555", "198.51.100.2:4000", "198.51.100.2:5555"),
        ("m=audio 4000 RTP/AVP 0|a=rtcp:5555 IN IP4 203.0.113.9", "198.51.100.2:4000", "203.0.113.9:5555"),
        ("m=audio 4000 RTP/AVP 0|a=rtcp-mux", "198.51.100.2:4000", "198.51.100.2:4000"),
        ("m=audio 65535 RTP/AVP 0", "198.51.100.2:65535", "198.51.100.2:65535"),
    ];
    for (offered, rtp, rtcp) in cases {
        let agreed = answer(&remote("IN IP4 198.51.100.2", offered), &local(), None).unwrap().negotiated;
        assert_eq!(agreed.audio[0].remote.to_string(), rtp, "{offered}");
        assert_eq!(agreed.audio[0].remote_rtcp.to_string(), rtcp, "{offered}");
    }
}

#[test]
fn both_ends_of_one_negotiation_agree() {
    let caller = local();
    let mut callee = LocalCapabilities::new(8, "[2001:db8::2]:20000".parse().unwrap());
    callee.codecs = vec![Codec::Pcma];
    let offered = offer(&caller, None);
    let answered = answer(&SessionDescription::parse(offered.to_string().as_bytes()).unwrap(), &callee, None).unwrap();
    let text = SessionDescription::parse(answered.description.to_string().as_bytes()).unwrap();
    assert_eq!(text, parsed_back(&answered.description));
    let (here, there) = (accept_answer(&offered, &text).unwrap(), answered.negotiated);
    let (here, there) = (&here.audio[0], &there.audio[0]);
    assert_eq!((here.codec, here.payload_type), (Codec::Pcma, 8));
    assert_eq!((there.codec, there.payload_type), (Codec::Pcma, 8));
    assert_eq!((here.telephone_event, there.telephone_event), (Some(101), Some(101)));
    assert_eq!((here.remote, there.remote), (callee.rtp, caller.rtp));
    assert!(here.rtcp_mux && there.rtcp_mux);
    assert_eq!(here.direction, Direction::SendRecv);
}

/// The writer adds `t=0 0`, which the parser then keeps.
fn parsed_back(description: &SessionDescription) -> SessionDescription {
    SessionDescription::parse(description.to_string().as_bytes()).unwrap()
}

#[test]
fn the_answer_may_number_and_choose_differently() {
    let offered = offer(&local(), None);
    let cases = [
        // The answer's number to send with, ours to receive with; both codecs may come.
        (
            "m=audio 4000 RTP/AVP 98 0 99|a=rtpmap:98 PCMA/8000|a=rtpmap:99 telephone-event/8000",
            "98 [8, 0] 99 101 sendrecv",
        ),
        ("m=audio 4000 RTP/AVP 0", "0 [0] - - sendrecv"),
        ("m=audio 4000 RTP/AVP 0|a=recvonly", "0 [0] - - sendonly"),
        ("m=audio 4000 RTP/AVP 0|a=sendonly", "0 [0] - - recvonly"),
    ];
    for (answered, expected) in cases {
        let agreed = accept_answer(&offered, &remote("IN IP4 198.51.100.2", answered)).unwrap();
        let a = &agreed.audio[0];
        let text = |pt: Option<u8>| pt.map_or("-".to_string(), |pt| pt.to_string());
        let receive: Vec<u8> = a.receive.iter().map(|(pt, _)| *pt).collect();
        let (send, got) = (text(a.telephone_event), text(a.telephone_event_receive));
        assert_eq!(format!("{} {receive:?} {send} {got} {}", a.payload_type, a.direction.as_str()), expected);
    }
    assert_eq!(accept_answer(&offered, &remote("IN IP4 198.51.100.2", "m=audio 0 RTP/AVP 0")).unwrap().audio, []);
    let error = |answered| accept_answer(&offered, &remote("IN IP4 pbx.example", answered)).unwrap_err();
    assert_eq!(error(""), AcceptError::MediaCount { offered: 1, answered: 0 });
    assert_eq!(
        error("m=audio 4000 RTP/AVP 0"),
        AcceptError::Line(0, MediaError::NotAnAddress("IN IP4 pbx.example".into()))
    );
    assert_eq!(error("m=audio 4000 RTP/AVP 9|c=IN IP4 198.51.100.2"), AcceptError::Line(0, MediaError::NoCommonCodec));
}

#[test]
fn a_held_offer_stays_held_even_if_the_answer_forgets() {
    let mut local = local();
    local.direction = Direction::SendOnly;
    let agreed = accept_answer(&offer(&local, None), &remote("IN IP4 198.51.100.2", "m=audio 4000 RTP/AVP 0")).unwrap();
    assert_eq!(agreed.audio[0].direction, Direction::SendOnly);
}

#[test]
fn the_version_grows_with_changes_only_and_lines_keep_their_places() {
    let mut local = local();
    let offered = remote(
        "IN IP4 198.51.100.2",
        "m=video 5000 RTP/AVP 31|m=audio 4000 RTP/AVP 8 96|a=rtpmap:96 telephone-event/8000",
    );
    let first = answer(&offered, &local, None).unwrap().description;
    assert_eq!(first.origin.version, 1);
    let same = answer(&offered, &local, Some(&first)).unwrap().description;
    assert_eq!(same, first);

    local.direction = Direction::SendOnly;
    let hold = offer(&local, Some(&first));
    assert_eq!((hold.origin.version, &hold.origin.session_id), (2, &first.origin.session_id));
    assert_eq!(hold.media.iter().map(|m| m.port).collect::<Vec<_>>(), [0, 10000]);
    assert_eq!(hold.direction_of(&hold.media[1]), Direction::SendOnly);
    assert_eq!(hold.media[1].telephone_event(8000), Some(96), "96 must go on meaning what it meant");
    assert_eq!(offer(&local, Some(&hold)), hold);

    let mut removed = hold.clone();
    removed.media[1].port = 0;
    let answered = remote("IN IP4 198.51.100.2", "m=video 0 RTP/AVP 31|m=audio 4000 RTP/AVP 8");
    assert_eq!(accept_answer(&removed, &answered).unwrap().audio, [], "a removed line stays removed");
    assert_eq!(offer(&local, Some(&removed)).media.len(), 2, "the slot is used again");

    local.rtp.set_port(10002);
    let moved = offer(&local, Some(&hold));
    assert_eq!(moved.origin.version, 3);
}

#[test]
fn the_times_of_the_offer_are_repeated() {
    let mut offered = remote("IN IP4 198.51.100.2", "m=audio 4000 RTP/AVP 0");
    offered.lines[0].value = "3034423619 3042462419".into();
    let first = answer(&offered, &local(), None).unwrap().description;
    assert!(first.to_string().contains("t=3034423619 3042462419\r\n"));
    assert_eq!(answer(&offered, &local(), Some(&first)).unwrap().description.origin.version, 1);
}
