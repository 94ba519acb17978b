//! Whole calls, as they are heard and as they are reported.

use super::*;
use crate::compare::{goertzel, similarity};

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
fn the_same_seed_gives_the_same_call() {
    let run = || {
        let link = Link { loss_percent: 10, delay_ms: 20, jitter_ms: 60, double_percent: 5, nat: true };
        let mut world = World::new(11, link, [config(0, Source::Tone { hz: 440.0 }), config(1, Source::Echo)]);
        world.run_until(5.0);
        (world.streams[0].report(), world.streams[0].take_recording())
    };
    assert_eq!(run(), run());
}
