use crate::world::check;

#[test]
fn an_answered_call_gets_a_bye_to_each_end_above_all_its_numbers() {
    check(
        "alice INVITE cseq=20
         -> started 0.1
         bob 183 cseq=20
         alice PRACK cseq=21
         bob 200 method=PRACK cseq=21
         bob 200 cseq=20
         -> answered 0.1
         alice ACK cseq=20
         bob INFO cseq=700
         alice REFER cseq=30
         bob NOTIFY cseq=701
         alice UPDATE cseq=25
         ops hang up 0.1 SIP;cause=480;text=\"by the operator\"
         -> bye bob over bob: sip:bob@10.0.0.2:5060 a>b 31 because SIP;cause=480;text=\"by the operator\"
         -> bye alice over alice: sip:alice@10.0.0.1:5060 b>a 702 because SIP;cause=480;text=\"by the operator\"
         -> ended 0.1 ByUs
         bob 200 method=BYE cseq=31",
    );
}

/// RFC 3261 section 12.2: re-INVITE and UPDATE move both ends' targets.
#[test]
fn byes_go_where_the_ends_are_now() {
    check(
        "alice INVITE
         -> started 0.1
         bob 200
         -> answered 0.1
         alice ACK
         alice INVITE tag=b cseq=2 contact=<sip:alice@new1>
         bob 200 cseq=2 contact=<sip:bob@new1>
         alice ACK cseq=2
         bob UPDATE cseq=1 contact=<sip:bob@new2?subject=x>
         alice 200 method=UPDATE cseq=1 contact=<sip:alice@new2;method=BYE;x=y>
         alice INFO cseq=3 contact=<sip:alice@info>
         alice INVITE tag=b cseq=4 contact=nonsense
         bob 200 cseq=1 contact=<sip:bob@repeated>
         ops hang up 0.1
         -> bye bob over bob: sip:bob@new2 a>b 5
         -> bye alice over alice: sip:alice@new2;x=y b>a 2
         -> ended 0.1 ByUs",
    );
}

#[test]
fn who_names_no_contact_is_called_by_name() {
    check(
        "alice INVITE contact=-
         -> started 0.1
         bob 200 contact=*
         -> answered 0.1
         alice ACK
         ops hang up 0.1
         -> bye bob over bob: sip:bob@example.com a>b 2
         -> bye alice over alice: sip:alice@example.com b>a 1
         -> ended 0.1 ByUs",
    );
}

#[test]
fn a_ringing_call_is_given_up_once() {
    for ringing in ["", "bob 180\n"] {
        check(&format!(
            "alice INVITE
             -> started 0.1
             {ringing}ops hang up 0.1
             -> give up 1
             ops hang up 0.1
             back 487
             -> ended 0.1 ByUs"
        ));
    }
}

/// RFC 3261 section 15: no BYE of the callee's before the ACK.
#[test]
fn a_call_that_waits_for_its_ack_ends_with_that() {
    let byes = "-> bye bob over bob: sip:bob@10.0.0.2:5060 a>b 2 because x
        -> bye alice over alice: sip:alice@10.0.0.1:5060 b>a 1 because x
        -> ended 0.1 ByUs";
    check(&format!("alice INVITE\n-> started 0.1\nbob 200\n-> answered 0.1\nops hang up 0.1 x\nalice ACK\n{byes}"));
    check(&format!(
        "alice INVITE\n-> started 0.1\n+30s\nbob 200\n-> answered 0.1\nops hang up 0.1 x\n+30s\n+10s\n{byes}"
    ));
    check(&format!(
        "alice INVITE
         -> started 0.1
         bob 180
         ops hang up 0.1 x
         -> give up 1 because x
         bob 200
         -> answered 0.1
         alice ACK
         {byes}"
    ));
}

/// A number at the end of its range stays there (RFC 3261 section 8.1.1.5).
#[test]
fn the_highest_number_has_no_successor() {
    check(
        "alice INVITE cseq=2147483647
         -> started 0.1
         bob 200 cseq=2147483647
         -> answered 0.1
         alice ACK cseq=2147483647
         ops hang up 0.1
         -> bye bob over bob: sip:bob@10.0.0.2:5060 a>b 2147483647
         -> bye alice over alice: sip:alice@10.0.0.1:5060 b>a 1
         -> ended 0.1 ByUs",
    );
}
