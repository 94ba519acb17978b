//! The transitions of the RFCs, typed from their text and figures, against the machines: every pair of a state and an
//! event is walked, and a pair that the RFC does not mention must change nothing.

use std::collections::BTreeSet;
use std::fmt::Debug;

/// Rows are `state event -> next: actions`; `end` is the RFC's Terminated.
fn check<S: Debug + Copy, E: Debug + Copy, A: Debug + 'static>(
    table: &str,
    states: &[S],
    events: &[E],
    step: impl Fn(S, E) -> (Option<S>, &'static [A]),
) {
    let rows: BTreeSet<String> = table
        .lines()
        .map(|line| line.split("//").next().unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    let mut walked = BTreeSet::new();
    for state in states {
        for event in events {
            let (next, actions) = step(*state, *event);
            let next = next.map_or("end".into(), |next| format!("{next:?}"));
            let actions: Vec<_> = actions.iter().map(|action| format!("{action:?}")).collect();
            let nothing = next == format!("{state:?}") && actions.is_empty();
            let row = format!("{state:?} {event:?} -> {next}: {}", actions.join(", "));
            if nothing {
                let pair = format!("{state:?} {event:?} ->");
                assert!(!rows.iter().any(|row| row.starts_with(&pair)), "the machine ignores what the RFC has: {pair}");
            } else {
                walked.insert(row.trim_end().to_owned());
            }
        }
    }
    let only = |here: &BTreeSet<String>, there: &BTreeSet<String>| {
        here.difference(there).cloned().collect::<Vec<_>>().join("\n  ")
    };
    assert_eq!(
        rows,
        walked,
        "\nonly the RFC:\n  {}\nonly the machine:\n  {}",
        only(&rows, &walked),
        only(&walked, &rows)
    );
}

#[test]
fn invite_client() {
    use crate::invite_client::{Event::*, START, State::*, step};
    assert_eq!(format!("{START:?}"), "(Calling, [Send, Start(B), Start(A)])");
    check(
        "
        // RFC 3261 17.1.1.2
        Calling    TimerA         -> Calling:    Send, Double(A)
        Calling    TimerB         -> end:        ReportTimeout
        Calling    TransportError -> end:        ReportSendFailed
        Calling    Provisional    -> Proceeding: Deliver
        Proceeding Provisional    -> Proceeding: Deliver
        Calling    Failure        -> Completed:  Acknowledge, Deliver, Start(D)
        Proceeding Failure        -> Completed:  Acknowledge, Deliver, Start(D)
        Completed  Failure        -> Completed:  Send               // the ACK is re-passed, the response is not
        Completed  TransportError -> end:        ReportSendFailed
        Completed  TimerD         -> end:
        // RFC 6026 7.2
        Calling    Success        -> Accepted:   Deliver, Release, Start(M)
        Proceeding Success        -> Accepted:   Deliver, Release, Start(M)
        Accepted   Success        -> Accepted:   Deliver
        Accepted   TimerM         -> end:
        // RFC 3261 9.1: a CANCEL before any response waits for the first provisional one
        Calling    Cancel         -> Cancelling:
        Proceeding Cancel         -> Cancelled:  SendCancel, Start(Cancelled)
        Cancelling Provisional    -> Cancelled:  Deliver, SendCancel, Start(Cancelled)
        Cancelled  TimerCancelled -> end:        ReportTimeout
        // ... and else nothing changes for the INVITE
        Cancelling TimerA         -> Cancelling: Send, Double(A)
        Cancelling TimerB         -> end:        ReportTimeout
        Cancelling TransportError -> end:        ReportSendFailed
        Cancelling Failure        -> Completed:  Acknowledge, Deliver, Start(D)
        Cancelling Success        -> Accepted:   Deliver, Release, Start(M)
        Cancelled  Provisional    -> Cancelled:  Deliver
        Cancelled  Failure        -> Completed:  Acknowledge, Deliver, Start(D)
        Cancelled  Success        -> Accepted:   Deliver, Release, Start(M)
        ",
        &[Calling, Cancelling, Proceeding, Cancelled, Completed, Accepted],
        &[Provisional, Success, Failure, Cancel, TimerA, TimerB, TimerD, TimerM, TimerCancelled, TransportError],
        step,
    );
}

#[test]
fn non_invite_client() {
    use crate::non_invite_client::{Event::*, START, State::*, step};
    assert_eq!(format!("{START:?}"), "(Trying, [Send, Start(F), Start(E)])");
    check(
        "
        // RFC 3261 17.1.2.2
        Trying     TimerE         -> Trying:     Send, Double(E)
        Trying     TimerF         -> end:        ReportTimeout
        Trying     TransportError -> end:        ReportSendFailed
        Trying     Provisional    -> Proceeding: Deliver
        Trying     Final          -> Completed:  Deliver, Release, Start(K)
        Proceeding TimerE         -> Proceeding: Send, AtT2(E)
        Proceeding TimerF         -> end:        ReportTimeout
        Proceeding TransportError -> end:        ReportSendFailed
        Proceeding Provisional    -> Proceeding: Deliver
        Proceeding Final          -> Completed:  Deliver, Release, Start(K)
        Completed  TimerK         -> end:
        ",
        &[Trying, Proceeding, Completed],
        &[Provisional, Final, TimerE, TimerF, TimerK, TransportError],
        step,
    );
}

#[test]
fn invite_server() {
    use crate::invite_server::{Event::*, START, State::*, step};
    assert_eq!(format!("{START:?}"), "(Quiet, [DeliverRequest, Start(Trying)])");
    check(
        "
        // RFC 3261 17.2.1; Quiet is Proceeding as long as there is no provisional response to repeat
        Quiet      TimerTrying    -> Proceeding: SendTrying
        Quiet      TuProvisional  -> Proceeding: SendProvisional
        Quiet      TuFailure      -> Completed:  SendFinal, Start(H), Start(G)
        Proceeding Request        -> Proceeding: Repeat
        Proceeding TuProvisional  -> Proceeding: SendProvisional
        Proceeding TuFailure      -> Completed:  SendFinal, Start(H), Start(G)
        Completed  Request        -> Completed:  Repeat
        Completed  TimerG         -> Completed:  Repeat, Double(G)
        Completed  TimerH         -> end:        ReportAckMissing
        Completed  Ack            -> Confirmed:  Release, Start(I)
        Confirmed  TimerI         -> end:
        // RFC 6026 7.1
        Quiet      TuSuccess      -> Accepted:   SendOnce, Start(L)
        Proceeding TuSuccess      -> Accepted:   SendOnce, Start(L)
        Accepted   TuSuccess      -> Accepted:   SendOnce
        Accepted   Ack            -> Accepted:   DeliverAck
        Accepted   TimerL         -> end:
        ",
        &[Quiet, Proceeding, Completed, Confirmed, Accepted],
        &[Request, Ack, TuProvisional, TuSuccess, TuFailure, TimerTrying, TimerG, TimerH, TimerI, TimerL],
        step,
    );
}

#[test]
fn non_invite_server() {
    use crate::non_invite_server::{Event::*, START, State::*, step};
    assert_eq!(format!("{START:?}"), "(Trying, [DeliverRequest, Start(LateTrying)])");
    check(
        "
        // RFC 3261 17.2.2
        Proceeding Request            -> Proceeding: Repeat
        Trying     TuFinal            -> Completed:  SendFinal, Start(J)
        Proceeding TuFinal            -> Completed:  SendFinal, Start(J)
        Completed  Request            -> Completed:  Repeat
        Completed  TimerJ             -> end:
        // RFC 4320 4.1: only 100, over UDP not before timer E would be at T2, and then in any case
        Trying     TuTryingReliable   -> Proceeding: SendProvisional
        Trying     TimerLateTrying    -> Proceeding: SendTrying, Start(Expiry)
        Proceeding TuTryingReliable   -> Proceeding: SendProvisional
        Proceeding TuTryingUnreliable -> Proceeding: SendProvisional
        // RFC 4320 4.2: no 408, and no response at all when the transaction has expired
        Trying     TuTimeout          -> Silenced:   Release, Start(J)
        Proceeding TuTimeout          -> Silenced:   Release, Start(J)
        Silenced   TimerJ             -> end:
        Proceeding TimerLateTrying    -> Proceeding: Start(Expiry)
        Proceeding TimerExpiry        -> end:
        ",
        &[Trying, Proceeding, Completed, Silenced],
        &[
            Request,
            TuTryingReliable,
            TuTryingUnreliable,
            TuProvisional,
            TuTimeout,
            TuFinal,
            TimerLateTrying,
            TimerJ,
            TimerExpiry,
        ],
        step,
    );
}
