use crate::{
    Connection, Direction, FORMATS_MAX, MEDIA_LINES_MAX, ParseError, SDP_BYTES_MAX, SessionDescription, Wrong,
};

/// Made after the example of RFC 8866 section 5.
const EXAMPLE: &str = "v=0\r\no=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\ns=Call to John Smith\r\n\
i=SDP Offer #1\r\nu=http://www.jdoe.example.com/home.html\r\ne=Jane Doe <jane@jdoe.example.com>\r\n\
p=+1 617 555-6011\r\nc=IN IP4 198.51.100.1\r\nb=AS:64\r\nt=0 0\r\na=sendonly\r\n\
m=audio 49170/2 RTP/AVP 0 101\r\ni=voice\r\nc=IN IP6 2001:db8::2\r\nb=AS:32\r\na=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-15\r\na=x-unknown: keep  this \r\na=ptime:30\r\n\
m=video 51372 RTP/AVP 99\r\na=rtpmap:99 h263-1998/90000\r\na=recvonly\r\n";

#[test]
fn what_was_read_is_written_byte_for_byte() {
    let description = SessionDescription::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(description.to_string(), EXAMPLE);
    let [audio, video] = &description.media[..] else { panic!("two media lines") };
    assert_eq!((audio.port, audio.port_count, audio.ptime_ms()), (49170, Some(2), Some(30)));
    assert_eq!(audio.fmtp(101), Some("0-15"));
    assert_eq!(audio.telephone_event(8000), Some(101));
    assert_eq!(audio.attribute("x-unknown"), Some(" keep  this "));
    assert_eq!(description.connection_of(audio), Some(&Connection::Ip("2001:db8::2".parse().unwrap())));
    assert_eq!(description.connection_of(video), Some(&Connection::Ip("198.51.100.1".parse().unwrap())));
    assert_eq!(description.direction_of(audio), Direction::SendOnly);
    assert_eq!(description.direction_of(video), Direction::RecvOnly);
}

#[test]
fn sloppy_descriptions_are_read() {
    for text in [
        "v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 9 RTP/AVP 0\n",
        "v=0 \n\no=-  1  1  IN  IP4  192.0.2.1 \nm=audio  9  RTP/AVP  0 \n\n\n",
    ] {
        assert_eq!(SessionDescription::parse(text.as_bytes()).unwrap().media.len(), 1, "{text:?}");
    }
    let latin1 = b"v=0\r\no=J\xf6rg 1 1 IN IP4 192.0.2.1\r\ns=\xff\r\na=rtpmap\r\nm=audio 9 RTP/AVP 0\r\na=rtpmap:x\r\na=ptime:soon\r\n";
    let description = SessionDescription::parse(latin1).unwrap();
    assert_eq!(description.media[0].rtpmaps().count(), 0);
    assert_eq!(description.media[0].ptime_ms(), None);
}

#[test]
fn wrong_descriptions_name_the_line() {
    let start = "v=0\no=- 1 1 IN IP4 192.0.2.1\n";
    for (text, line, wrong) in [
        (String::new(), 1, Wrong::Version),
        ("v=1\n".into(), 1, Wrong::Version),
        ("o=- 1 1 IN IP4 192.0.2.1\n".into(), 1, Wrong::Version),
        ("v=0\ns=-\n".into(), 3, Wrong::Origin),
        ("v=0\no=- 1 x IN IP4 192.0.2.1\n".into(), 2, Wrong::Origin),
        ("v=0\no=- 1 1 IN IP4\n".into(), 2, Wrong::Origin),
        (format!("{start}o=- 1 1 IN IP4 192.0.2.1\n"), 3, Wrong::Origin),
        (format!("{start}v=0\n"), 3, Wrong::Version),
        (format!("{start}s=-\nc=IN IP4\n"), 4, Wrong::Connection),
        (format!("{start}nonsense\n"), 3, Wrong::NotALine),
        (format!("{start}ab=c\n"), 3, Wrong::NotALine),
        // What another reader might take for a line end, or for the end of all.
        (format!("{start}a=x\rm=audio 9 RTP/AVP 0\n"), 3, Wrong::NotALine),
        (format!("{start}a=x\0\n"), 3, Wrong::NotALine),
        (format!("{start}=c\n"), 3, Wrong::NotALine),
        (format!("{start}x=y\n"), 3, Wrong::UnknownType),
        (format!("{start}a=\n"), 3, Wrong::Attribute),
        (format!("{start}a=:v\n"), 3, Wrong::Attribute),
        (format!("{start}m=audio 4000 RTP/AVP\n"), 3, Wrong::Media),
        (format!("{start}m=audio 65536 RTP/AVP 0\n"), 3, Wrong::Media),
        (format!("{start}m=audio -1 RTP/AVP 0\n"), 3, Wrong::Media),
        (format!("{start}m=audio 1/x RTP/AVP 0\n"), 3, Wrong::Media),
        (format!("{start}m=audio 1 RTP/AVP 0\nt=0 0\n"), 4, Wrong::UnknownType),
    ] {
        assert_eq!(SessionDescription::parse(text.as_bytes()), Err(ParseError { line, wrong }), "{text:?}");
    }
}

#[test]
fn limits_are_exact() {
    let start = "v=0\no=- 1 1 IN IP4 192.0.2.1\n";
    let media = |n: usize| format!("{start}{}", "m=audio 9 RTP/AVP 0\n".repeat(n));
    assert_eq!(SessionDescription::parse(media(MEDIA_LINES_MAX).as_bytes()).unwrap().media.len(), MEDIA_LINES_MAX);
    let error = SessionDescription::parse(media(MEDIA_LINES_MAX + 1).as_bytes()).unwrap_err();
    assert_eq!(error, ParseError { line: 3 + MEDIA_LINES_MAX, wrong: Wrong::TooManyMedia });

    let formats = |n: usize| format!("{start}m=audio 9 RTP/AVP{}\n", " 0".repeat(n));
    assert!(SessionDescription::parse(formats(FORMATS_MAX).as_bytes()).is_ok());
    let error = SessionDescription::parse(formats(FORMATS_MAX + 1).as_bytes()).unwrap_err();
    assert_eq!(error, ParseError { line: 3, wrong: Wrong::TooManyFormats });

    let long = |n: usize| format!("{start}s={}\n", "x".repeat(n - start.len() - 3));
    assert!(SessionDescription::parse(long(SDP_BYTES_MAX).as_bytes()).is_ok());
    let error = SessionDescription::parse(long(SDP_BYTES_MAX + 1).as_bytes()).unwrap_err();
    assert_eq!(error.wrong, Wrong::TooLong);
    assert_eq!(error.to_string(), "session description, line 1: the description is too long");
}

/// Descriptions with bytes changed, dropped and doubled at random: no panic, and what is read survives writing.
#[test]
fn damaged_descriptions_never_panic() {
    let mut state = 88172645463325252u64;
    let mut chance = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        for _ in 0..=chance(4) {
            let at = chance(bytes.len());
            match chance(4) {
                0 => bytes[at] = chance(256) as u8,
                1 => bytes[at] = b"=:/ \r\n09am"[chance(10)],
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[at]),
            }
        }
        if let Ok(description) = SessionDescription::parse(&bytes) {
            read += 1;
            let again = SessionDescription::parse(description.to_string().as_bytes()).unwrap();
            // Lines may have moved to where they belong; then they stay.
            assert_eq!(again.to_string(), description.to_string());
            assert_eq!((again.origin, again.media.len()), (description.origin, description.media.len()));
        }
    }
    assert!(read > 1000, "{read} of them could still be read");
}
