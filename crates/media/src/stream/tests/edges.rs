//! One stream at its limits: late timers, junk, floods, closing.

use rtp::{Header, Packet, PacketKind};

use super::*;

#[test]
fn sending_keeps_its_pace_however_late_the_timeouts_are() {
    let start = Now::read_clocks();
    let mut stream = Stream::new(config(0, Source::Silence), Rng::from_u64(2), start);
    let mut timestamps = Vec::new();
    let mut run = |stream: &mut Stream, ms: u64| {
        stream.handle_timeout(start + Duration::from_millis(ms));
        stream.handle_timeout(start + Duration::from_millis(ms));
        let before = timestamps.len();
        while let Some(output) = stream.poll_output() {
            if let Output::Packet { bytes, .. } = output
                && PacketKind::of(&bytes) == PacketKind::Rtp
            {
                timestamps.push(Packet::parse(&bytes).unwrap().header);
            }
        }
        timestamps.len() - before
    };
    assert_eq!(run(&mut stream, 0), 1);
    assert_eq!(run(&mut stream, 19), 0);
    assert_eq!(run(&mut stream, 33), 1);
    assert_eq!(run(&mut stream, 40), 1);
    assert_eq!(run(&mut stream, 140), 5);
    assert_eq!(run(&mut stream, 10_000), CATCH_UP_PACKETS_MAX as usize);
    assert_eq!(run(&mut stream, 10_020), 1);
    let first = timestamps[0];
    for (n, header) in timestamps.iter().enumerate() {
        assert_eq!(header.sequence, first.sequence.wrapping_add(n as u16));
    }
    // The last of them belongs to its own moment, 10.02 s after the first; the gap is marked.
    assert_eq!(timestamps.last().unwrap().timestamp.wrapping_sub(first.timestamp), 501 * 160);
    let marked: Vec<usize> = timestamps.iter().enumerate().filter(|(_, h)| h.marker).map(|(n, _)| n).collect();
    assert_eq!(marked, [0, 8]);
}

#[test]
fn junk_is_counted_and_changes_nothing() {
    let mut world = World::new(4, Link::default(), [config(0, Source::Tone { hz: 440.0 }), config(1, Source::Silence)]);
    world.run_until(1.0);
    let before = world.streams[1].report();
    let mut rng = Rng::from_u64(99);
    for n in 0..20_000u32 {
        let mut junk = vec![0; (n % 400) as usize];
        rng.fill(&mut junk);
        if n % 2 == 0 && junk.len() > 2 {
            junk[0] = 0x80;
            junk[1] = [0, 8, 101, 200, 201, 13][n as usize / 2 % 6];
        }
        world.streams[1].handle_input(world.now, SocketAddr::from(([198, 51, 100, 7], n as u16)), &junk);
    }
    let mut alien = Vec::new();
    let header = Header { marker: true, payload_type: 96, sequence: 1, timestamp: 2, ssrc: 3 };
    rtp::write_packet(&header, &mut alien, |out| out.extend_from_slice(&[0; 160]));
    let mut huge = Vec::new();
    let header = Header { payload_type: 0, ..header };
    rtp::write_packet(&header, &mut huge, |out| out.resize(out.len() + crate::PAYLOAD_SAMPLES_MAX + 1, 0));
    world.streams[1].handle_input(world.now, address(0), &alien);
    world.streams[1].handle_input(world.now, address(0), &huge);
    let after = world.streams[1].report();
    assert_eq!((after.ignored, after.packets_received), (before.ignored + 20_002, before.packets_received));
    assert_eq!(world.streams[1].remote.send_to(), address(0));
}

#[test]
fn events_that_nobody_fetches_are_bounded() {
    let now = Now::read_clocks();
    let mut stream = Stream::new(config(0, Source::Silence), Rng::from_u64(2), now);
    for n in 0..200u32 {
        let mut bytes = Vec::new();
        let header = Header { marker: true, payload_type: 101, sequence: n as u16, timestamp: n * 800, ssrc: 3 };
        rtp::write_packet(&header, &mut bytes, |out| out.extend_from_slice(&[1, 10, 0, 160]));
        stream.handle_input(now, address(1), &bytes);
    }
    let events = std::iter::from_fn(|| stream.poll_output()).filter(|o| matches!(o, Output::Event(_))).count();
    assert_eq!((events, stream.counts.events_dropped), (EVENTS_WAITING_MAX, 201 - EVENTS_WAITING_MAX as u64));
}

#[test]
fn a_recording_is_bounded() {
    let start = Now::read_clocks();
    let mut stream = Stream::new(config(0, Source::Silence), Rng::from_u64(2), start);
    let mut bytes = Vec::new();
    let header = Header { marker: true, payload_type: 0, sequence: 1, timestamp: 2, ssrc: 3 };
    rtp::write_packet(&header, &mut bytes, |out| out.extend_from_slice(&[0; 160]));
    stream.handle_input(start, address(1), &bytes);
    for tenth in 0..6100 {
        stream.handle_timeout(start + Duration::from_millis(100 * tenth));
        while stream.poll_output().is_some() {}
    }
    assert_eq!(stream.take_recording().len(), RECORD_SAMPLES_MAX);
    stream.handle_timeout(start + Duration::from_secs(611));
    assert!(!stream.take_recording().is_empty());
}

#[test]
fn closing_says_goodbye_once_and_ends_all_timers() {
    let mut world = World::new(4, Link::default(), [config(0, Source::Silence), config(1, Source::Silence)]);
    world.run_until(1.0);
    let now = world.now;
    let stream = &mut world.streams[0];
    while stream.poll_output().is_some() {}
    stream.close(now);
    stream.close(now);
    let Some(Output::Packet { component: Component::Rtcp, to, bytes }) = stream.poll_output() else { panic!("a BYE") };
    assert_eq!((to, stream.poll_output()), (SocketAddr::new(address(1).ip(), 4001), None));
    let compound = rtp::rtcp::Compound::parse(&bytes).unwrap();
    assert!(matches!(compound.packets().last(), Some(rtp::rtcp::RtcpPacket::Goodbye(_))));
    assert_eq!(stream.poll_timeout(), None);
    stream.handle_timeout(now + Duration::from_secs(10));
    assert_eq!(stream.poll_output(), None);
}

#[test]
fn reports_come_at_random_within_the_rule() {
    let start = Now::read_clocks();
    let mut stream = Stream::new(config(0, Source::Silence), Rng::from_u64(2), start);
    let mut times = Vec::new();
    while times.len() < 100 {
        let due = stream.poll_timeout().unwrap();
        stream.handle_timeout(start + due.saturating_duration_since(start.mono));
        while let Some(output) = stream.poll_output() {
            if let Output::Packet { component: Component::Rtcp, .. } = output {
                times.push(due);
            }
        }
    }
    let gaps: Vec<f64> = times.windows(2).map(|w| w[1].duration_since(w[0]).as_secs_f64()).collect();
    assert!(gaps.iter().all(|g| (2.05..6.16).contains(g)), "{gaps:?}");
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    assert!((3.6..4.6).contains(&mean), "mean {mean}");
}

#[test]
fn what_was_due_before_a_packet_does_not_hear_it() {
    let start = Now::read_clocks();
    let mut stream = Stream::new(config(0, Source::Silence), Rng::from_u64(2), start);
    let packet = |n: u16| {
        let mut bytes = Vec::new();
        let header = Header { marker: n == 0, payload_type: 0, sequence: n, timestamp: u32::from(n) * 160, ssrc: 3 };
        rtp::write_packet(&header, &mut bytes, |out| out.resize(out.len() + 160, 0x80));
        bytes
    };
    stream.handle_input(start, address(1), &packet(0));
    stream.handle_input(start + Duration::from_millis(70), address(1), &packet(1));
    let heard = stream.take_recording();
    assert_eq!((heard.len(), heard[0]), (320, 32124), "played at 40 and at 60 ms");
    stream.handle_timeout(start + Duration::from_millis(80));
    assert_eq!(stream.take_recording(), [32124; 160], "what ran dry waited for the late one");
}

#[test]
fn the_first_packet_after_a_hold_is_marked() {
    let start = Now::read_clocks();
    let mut held = config(0, Source::Silence);
    held.direction = Direction::RecvOnly;
    let mut stream = Stream::new(held.clone(), Rng::from_u64(2), start);
    let sent = |stream: &mut Stream, ms: u64| -> Vec<Header> {
        stream.handle_timeout(start + Duration::from_millis(ms));
        std::iter::from_fn(|| stream.poll_output())
            .filter_map(|output| match output {
                Output::Packet { bytes, .. } => Some(Packet::parse(&bytes).unwrap().header),
                Output::Event(_) => None,
            })
            .collect()
    };
    let agreed = |direction| sdp::NegotiatedAudio {
        media_index: 0,
        codec: Codec::Pcmu,
        payload_type: 0,
        receive: held.receive.clone(),
        remote: held.remote,
        remote_rtcp: held.remote_rtcp,
        rtcp_mux: false,
        direction,
        ptime_ms: 20,
        telephone_event: None,
        telephone_event_receive: None,
    };
    assert_eq!(sent(&mut stream, 100), []);
    stream.update(&agreed(Direction::SendRecv));
    let first = sent(&mut stream, 140);
    assert_eq!(first.iter().map(|h| h.marker).collect::<Vec<_>>(), [true, false]);
    stream.update(&agreed(Direction::Inactive));
    assert_eq!(sent(&mut stream, 200), []);
    stream.update(&agreed(Direction::SendOnly));
    let second = sent(&mut stream, 240);
    assert_eq!(second.iter().map(|h| h.marker).collect::<Vec<_>>(), [true, false]);
    assert_eq!(second[0].timestamp.wrapping_sub(first[0].timestamp), 5 * 160, "time went on");
    assert_eq!(second[0].sequence.wrapping_sub(first[0].sequence), 2);
}

#[test]
fn a_packet_too_long_is_nobodys() {
    let now = Now::read_clocks();
    let packet = |samples: usize| {
        let mut stream = Stream::new(config(0, Source::Silence), Rng::from_u64(2), now);
        let mut bytes = Vec::new();
        let header = Header { marker: true, payload_type: 0, sequence: 1, timestamp: 2, ssrc: 3 };
        rtp::write_packet(&header, &mut bytes, |out| out.resize(out.len() + samples, 0));
        stream.handle_input(now, address(1), &bytes);
        stream.report().packets_received
    };
    assert_eq!((packet(crate::PAYLOAD_SAMPLES_MAX), packet(crate::PAYLOAD_SAMPLES_MAX + 1)), (1, 0));
}

/// A source that we believe sends whatever it likes, and time passes as it likes: nothing overflows, and sound still comes
/// out when it behaves again.
#[test]
fn a_source_gone_mad_is_survived() {
    let start = Now::read_clocks();
    let mut rng = Rng::from_u64(17);
    let mut stream = Stream::new(config(0, Source::Echo), Rng::from_u64(2), start);
    let (mut now, mut header) = (start, Header { marker: false, payload_type: 0, sequence: 0, timestamp: 0, ssrc: 3 });
    let mut bytes = Vec::new();
    for _ in 0..50_000 {
        let dice = rng.next_u32();
        header.payload_type = [0, 8, 13, 101][dice as usize % 4];
        header.sequence =
            header.sequence.wrapping_add([1, 1, 1, 0, 7, 0xffff, 50_000, dice as u16][dice as usize / 4 % 8]);
        let leap = [160, 160, 240, 1, 0, 0xffff_ff60, 0x8000_0000, 9000, 0x7fff_ffff, rng.next_u32()];
        header.timestamp = header.timestamp.wrapping_add(leap[dice as usize / 32 % 10]);
        header.ssrc = 3 + u32::from(dice % 1000 < 4);
        bytes.clear();
        rtp::write_packet(&header, &mut bytes, |out| out.resize(out.len() + dice as usize / 320 % 1601, dice as u8));
        now = now + Duration::from_millis(u64::from(rng.next_u32() % 40 / 20 * (rng.next_u32() % 40)));
        stream.handle_input(now, address(1), &bytes);
        while stream.poll_output().is_some() {}
        assert!(stream.report().mos.is_none_or(|mos| (1.0..4.5).contains(&mos)));
    }
    stream.take_recording();
    for n in 0..500u32 {
        header = Header { payload_type: 0, sequence: header.sequence.wrapping_add(1), timestamp: n * 160, ..header };
        bytes.clear();
        rtp::write_packet(&header, &mut bytes, |out| out.resize(out.len() + 160, 0x80));
        stream.handle_input(now + Duration::from_millis(20 * u64::from(n)), address(1), &bytes);
    }
    let heard = stream.take_recording();
    assert_eq!(heard[heard.len() - 1600..], [32124; 1600]);
}
