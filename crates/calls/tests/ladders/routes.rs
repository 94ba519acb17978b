use crate::world::check;

/// RFC 3261 section 12.1: what stands below our value leads to the caller, what stands above it to the callee.
#[test]
fn byes_take_the_way_of_their_side() {
    check(
        "alice INVITE rr=p2;lr,p1;lr
         -> started 0.1
         bob 200 rr=p4;lr,p3;lr,us,p2;lr,p1;lr
         -> answered 0.1
         alice ACK
         ops hang up 0.1
         -> bye bob over bob: sip:bob@10.0.0.2:5060 a>b 2 <sip:p3;lr> <sip:p4;lr>
         -> bye alice over alice: sip:alice@10.0.0.1:5060 b>a 1 <sip:p2;lr> <sip:p1;lr>
         -> ended 0.1 ByUs",
    );
}

/// The flow is that of the token, not that which a response happened to come over; with two sides of ours (RFC 5658) the upper counts.
#[test]
fn our_own_value_names_the_flow() {
    check(
        "alice INVITE rr=p1;lr
         -> started 0.1
         bob 200 rr=p2;lr,us:carol,us:carol,p1;lr
         -> answered 0.1
         alice ACK
         ops hang up 0.1
         -> bye bob over carol: sip:bob@10.0.0.2:5060 a>b 2 <sip:p2;lr>
         -> bye alice over alice: sip:alice@10.0.0.1:5060 b>a 1 <sip:p1;lr>
         -> ended 0.1 ByUs",
    );
}

/// Of a spiral, the first pass is nearest to the caller, the last to the callee.
#[test]
fn a_spiral_has_one_side_at_each_end() {
    check(
        "alice INVITE rr=p1;lr
         -> started 0.1
         alice INVITE branch=2 rr=mid;lr,us,p1;lr
         bob 200 rr=p2;lr,us:carol,mid;lr,us,p1;lr
         -> answered 0.1
         alice ACK
         ops hang up 0.1
         -> bye bob over carol: sip:bob@10.0.0.2:5060 a>b 2 <sip:p2;lr>
         -> bye alice over alice: sip:alice@10.0.0.1:5060 b>a 1 <sip:p1;lr>
         -> ended 0.1 ByUs",
    );
}

/// The token of another call is not ours: then the values that the INVITE had are told by their number.
#[test]
fn without_a_token_of_ours_the_number_of_values_counts() {
    check(
        "alice INVITE rr=p1;lr
         -> started 0.1
         bob 200 rr=p3;lr,p2;lr,p1;lr
         -> answered 0.1
         alice ACK
         ops hang up 0.1
         -> bye bob over bob: sip:bob@10.0.0.2:5060 a>b 2 <sip:p2;lr> <sip:p3;lr>
         -> bye alice over alice: sip:alice@10.0.0.1:5060 b>a 1 <sip:p1;lr>
         -> ended 0.1 ByUs",
    );
}

/// RFC 3261 section 12.2.1.1.
#[test]
fn a_strict_router_takes_the_place_of_the_target() {
    check(
        "alice INVITE rr=p2,p1;lr
         -> started 0.1
         bob 200 rr=p3,us,p2,p1;lr
         -> answered 0.1
         alice ACK
         ops hang up 0.1
         -> bye bob over bob: sip:p3 a>b 2 <sip:bob@10.0.0.2:5060>
         -> bye alice over alice: sip:p2 b>a 1 <sip:p1;lr> <sip:alice@10.0.0.1:5060>
         -> ended 0.1 ByUs",
    );
}

/// A 180 may leave out what the 2xx says (RFC 3261 section 13.2.2.4: the route set is computed anew).
#[test]
fn the_2xx_says_where_the_callee_is() {
    check(
        "alice INVITE
         -> started 0.1
         bob 180 contact=<sip:bob@early>
         bob 200 contact=<sip:bob@late> rr=p2;lr,us
         -> answered 0.1
         alice ACK
         ops hang up 0.1
         -> bye bob over bob: sip:bob@late a>b 2 <sip:p2;lr>
         -> bye alice over alice: sip:alice@10.0.0.1:5060 b>a 1
         -> ended 0.1 ByUs",
    );
}
