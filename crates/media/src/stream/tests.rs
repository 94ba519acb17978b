//! Two streams and a bad network between them, in virtual time.

use std::collections::BTreeMap;

use rtp::{Header, Packet, PacketKind};
use sdp::{Codec, Direction};

use super::*;
use crate::compare::{goertzel, similarity};

/// What the network does to packets.
#[derive(Clone, Copy, Default)]
struct Link {
    loss_percent: u32,
    double_percent: u32,
    delay_ms: u64,
    /// Each packet is up to this much later, which reorders them.
    jitter_ms: u32,
    /// The second stream is behind a NAT: its packets come from another address than its signalling said.
    nat: bool,
}

struct World {
    now: Now,
    start: Now,
    rng: Rng,
    link: Link,
    streams: [Stream; 2],
    /// Packets on their way by arrival and number: to which stream, from where.
    flying: BTreeMap<(Instant, u64), (usize, SocketAddr, Vec<u8>)>,
    number: u64,
    events: [Vec<Event>; 2],
}

fn address(of: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, of as u8 + 1], 4000))
}

/// Where packets of this stream come from.
fn seen_from(of: usize, component: Component, link: Link) -> SocketAddr {
    let mut from = address(of);
    if link.nat && of == 1 {
        from = SocketAddr::from(([203, 0, 113, 9], 61000));
    }
    from.set_port(from.port() + u16::from(component == Component::Rtcp));
    from
}

fn config(of: usize, source: Source) -> Config {
    let remote = address(1 - of);
    Config {
        remote,
        remote_rtcp: SocketAddr::new(remote.ip(), remote.port() + 1),
        rtcp_mux: false,
        codec: Codec::Pcmu,
        payload_type: 0,
        receive: vec![(0, Codec::Pcmu), (8, Codec::Pcma)],
        telephone_event: Some(101),
        telephone_event_receive: Some(101),
        ptime_ms: 20,
        direction: Direction::SendRecv,
        source,
        record: true,
    }
}

impl World {
    fn new(seed: u64, link: Link, configs: [Config; 2]) -> Self {
        let mut rng = Rng::from_u64(seed);
        let now = Now::read_clocks();
        let streams = configs.map(|config| Stream::new(config, rng.split(), now));
        World { now, start: now, rng, link, streams, flying: BTreeMap::new(), number: 0, events: [vec![], vec![]] }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.next_u32() % 100 < percent
    }

    fn drain(&mut self) {
        for of in 0..2 {
            while let Some(output) = self.streams[of].poll_output() {
                match output {
                    Output::Event(event) => self.events[of].push(event),
                    Output::Packet { component, to, bytes } => {
                        let nat_port = seen_from(1 - of, Component::Rtp, self.link);
                        assert!(to.ip() == address(1 - of).ip() || to.ip() == nat_port.ip(), "a packet to {to}");
                        if self.chance(self.link.loss_percent) {
                            continue;
                        }
                        let copies = 1 + usize::from(self.chance(self.link.double_percent));
                        for _ in 0..copies {
                            let jitter = u64::from(self.rng.next_u32() % (self.link.jitter_ms + 1));
                            let at = self.now.mono + Duration::from_millis(self.link.delay_ms + jitter);
                            let from = seen_from(of, component, self.link);
                            self.flying.insert((at, self.number), (1 - of, from, bytes.clone()));
                            self.number += 1;
                        }
                    }
                }
            }
        }
    }

    fn run_until(&mut self, seconds: f64) {
        let end = self.start.mono + Duration::from_secs_f64(seconds);
        loop {
            self.drain();
            let timers = self.streams.iter().filter_map(Stream::poll_timeout).min();
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let Some(next) = timers.into_iter().chain(arrival).min().filter(|at| *at <= end) else { break };
            self.now = self.start + next.saturating_duration_since(self.start.mono);
            match self.flying.first_entry() {
                Some(entry) if entry.key().0 <= next => {
                    let (to, from, bytes) = entry.remove();
                    self.streams[to].handle_input(self.now, from, &bytes);
                }
                _ => self.streams.iter_mut().for_each(|s| s.handle_timeout(self.now)),
            }
        }
        self.now = self.start + Duration::from_secs_f64(seconds);
    }

    fn digits(&self, of: usize) -> String {
        let digit = |e: &Event| if let Event::DtmfReceived { digit } = e { Some(*digit) } else { None };
        self.events[of].iter().filter_map(digit).collect()
    }
}

/// Something speech-like that nothing else looks like.
fn babble(seed: u64, seconds: usize) -> std::sync::Arc<[i16]> {
    let mut rng = Rng::from_u64(seed);
    let mut last = 0.0;
    (0..seconds * 8000)
        .map(|n| {
            last = last * 0.7 + 0.3 * (f64::from(rng.next_u32()) / f64::from(u32::MAX) - 0.5);
            (last * ((n as f64 / 1200.0).sin().max(0.0) * 16000.0)) as i16
        })
        .collect()
}

#[test]
fn a_perfect_call_is_heard_perfectly_at_both_ends() {
    let speech = [babble(1, 10), babble(2, 10)];
    let say = |of: usize| Source::Samples { samples: speech[of].clone(), looped: false };
    let mut world = World::new(1, Link { delay_ms: 10, ..Link::default() }, [config(0, say(0)), config(1, say(1))]);
    world.run_until(10.0);
    for of in 0..2 {
        let report = world.streams[of].report();
        assert_eq!((report.packets_received, report.lost, report.late, report.duplicates), (500, 0, 0, 0));
        assert!(report.mos.unwrap() > 4.35 && report.jitter_ms < 0.01, "{report:?}");
        assert!(report.seconds_heard > 9.8);
        let rtt = report.round_trip_ms.expect("reports have gone both ways");
        assert!((rtt - 20.0).abs() < 1.0, "round trip {rtt}");
        assert_eq!(report.remote_loss_percent, Some(0.0));
        let heard = world.streams[of].take_recording();
        let same = similarity(&speech[1 - of], &heard);
        assert!(same.correlation > 0.99 && same.segmental_snr_db > 25.0, "{same:?}");
        assert_eq!(same.lag_ms, 0.0, "the recording begins with the first sample");
        assert!(!similarity(&speech[of], &heard).is_same());
        assert!(world.events[of].starts_with(&[Event::FirstPacket { from: address(1 - of) }]));
        assert_eq!(world.events[of].iter().filter(|e| **e == Event::SourceEnded).count(), 1);
    }
}

#[test]
fn a_bad_network_is_measured_and_survived() {
    let link = Link { loss_percent: 5, delay_ms: 40, jitter_ms: 30, double_percent: 2, nat: false };
    let tone = |hz| Source::Tone { hz };
    let mut world = World::new(7, link, [config(0, tone(440.0)), config(1, tone(1000.0))]);
    world.run_until(60.0);
    for (of, hz) in [(0, 1000.0), (1, 440.0)] {
        let report = world.streams[of].report();
        // Doubles count against losses in the RFC's arithmetic.
        let heard = report.loss_percent + report.duplicates as f64 / 30.0;
        assert!((4.0..6.5).contains(&heard), "{report:?}");
        assert!((3.0..4.1).contains(&report.mos.unwrap()), "{report:?}");
        assert!((4.0..20.0).contains(&report.jitter_ms), "{report:?}");
        assert!(report.late < 60, "the delay grows until few come too late: {report:?}");
        assert!((90.0..130.0).contains(&report.round_trip_ms.unwrap()), "{report:?}");
        assert!(goertzel(&world.streams[of].take_recording(), hz) > 0.9);
    }
}

#[test]
fn loss_alone_is_reported_as_it_was() {
    for percent in [1, 5, 20] {
        let link = Link { loss_percent: percent, delay_ms: 20, ..Link::default() };
        let mut world = World::new(3, link, [config(0, Source::Tone { hz: 440.0 }), config(1, Source::Silence)]);
        world.run_until(120.0);
        let report = world.streams[1].report();
        let measured = report.loss_percent;
        assert!((measured - f64::from(percent)).abs() < f64::from(percent) * 0.25, "{percent} %: {report:?}");
        assert!(goertzel(&world.streams[1].take_recording(), 440.0) > 0.75);
    }
}

#[test]
fn a_phone_behind_a_nat_is_answered_where_it_is() {
    let link = Link { delay_ms: 10, nat: true, ..Link::default() };
    let mut world =
        World::new(5, link, [config(0, Source::Tone { hz: 440.0 }), config(1, Source::Tone { hz: 1000.0 })]);
    world.run_until(2.0);
    let nat = seen_from(1, Component::Rtp, link);
    assert_eq!(world.events[0], [Event::FirstPacket { from: nat }]);
    assert_eq!(world.streams[0].remote.send_to(), nat);
    assert!(goertzel(&world.streams[0].take_recording(), 1000.0) > 0.9);
}

#[test]
fn digits_arrive_once_each_even_when_packets_are_lost() {
    let link = Link { delay_ms: 10, loss_percent: 20, ..Link::default() };
    let mut world = World::new(6, link, [config(0, Source::Silence), config(1, Source::Silence)]);
    for digit in "0123456789*#abcd".chars() {
        world.streams[0].send_dtmf(digit).unwrap();
    }
    world.run_until(5.0);
    assert_eq!(world.digits(1), "0123456789*#ABCD");
    assert_eq!(world.digits(0), "");
    let mut deaf = config(0, Source::Silence);
    deaf.telephone_event = None;
    let mut deaf = Stream::new(deaf, Rng::from_u64(1), world.now);
    assert_eq!(deaf.send_dtmf('1'), Err(DigitError::NotNegotiated));
}

#[test]
fn an_echo_comes_back() {
    let speech = babble(9, 4);
    let say = Source::Samples { samples: speech.clone(), looped: false };
    let link = Link { delay_ms: 25, ..Link::default() };
    let mut world = World::new(8, link, [config(0, say), config(1, Source::Echo)]);
    world.run_until(5.0);
    let same = similarity(&speech, &world.streams[0].take_recording());
    assert!(same.is_same() && same.lag_ms > 40.0 && same.lag_ms < 200.0, "{same:?}");
}

#[test]
fn hold_stops_sending_and_resuming_starts_a_talk_spurt() {
    let tone = || Source::Tone { hz: 440.0 };
    let mut world = World::new(8, Link::default(), [config(0, tone()), config(1, tone())]);
    world.run_until(1.0);
    let agreed = |direction, remote: SocketAddr| sdp::NegotiatedAudio {
        media_index: 0,
        codec: Codec::Pcma,
        payload_type: 8,
        receive: vec![(8, Codec::Pcma), (0, Codec::Pcmu)],
        remote,
        remote_rtcp: remote,
        rtcp_mux: true,
        direction,
        ptime_ms: 20,
        telephone_event: None,
        telephone_event_receive: None,
    };
    let sent = |w: &World| w.streams[0].report().packets_sent;
    let before = sent(&world);
    world.streams[0].update(&agreed(Direction::RecvOnly, "0.0.0.0:4000".parse().unwrap()));
    world.run_until(3.0);
    assert_eq!(sent(&world), before);
    assert_eq!(world.streams[0].remote.send_to(), address(1));
    let report = world.streams[0].report();
    assert_eq!((report.ignored, report.lost), (0, 0), "the source that was heard is heard on");
    world.streams[1].take_recording();
    world.streams[0].update(&agreed(Direction::SendRecv, address(1)));
    world.run_until(5.0);
    assert_eq!(sent(&world), before + 100);
    assert_eq!(world.streams[1].report().lost, 0);
    assert!(goertzel(&world.streams[1].take_recording()[4000..], 440.0) > 0.9, "A-law now, and in time");
}

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
fn other_packet_times_are_kept() {
    for ptime_ms in [10, 30, 60, 100] {
        let mut sender = config(0, Source::Tone { hz: 440.0 });
        sender.ptime_ms = ptime_ms;
        let mut world = World::new(4, Link { delay_ms: 5, ..Link::default() }, [sender, config(1, Source::Silence)]);
        world.run_until(6.0);
        let report = world.streams[1].report();
        let expected = u64::from(6000 / ptime_ms);
        assert!((expected..=expected + 1).contains(&report.packets_received), "{ptime_ms} ms: {report:?}");
        assert!(goertzel(&world.streams[1].take_recording()[1600..], 440.0) > 0.95, "{ptime_ms} ms");
    }
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
fn the_same_seed_gives_the_same_call() {
    let run = || {
        let link = Link { loss_percent: 10, delay_ms: 20, jitter_ms: 60, double_percent: 5, nat: true };
        let mut world = World::new(11, link, [config(0, Source::Tone { hz: 440.0 }), config(1, Source::Echo)]);
        world.run_until(5.0);
        (world.streams[0].report(), world.streams[0].take_recording())
    };
    assert_eq!(run(), run());
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
