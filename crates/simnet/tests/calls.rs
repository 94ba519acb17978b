//! Calls through one exchange.

use simnet::check;

#[test]
fn a_call() {
    check(
        "given bob registered
         alice -> exchange  INVITE bob
         exchange -> bob    INVITE
             Max-Forwards: 69
             Request-URI: sip:bob@{bob}
             Record-Route: <sip:*@{exchange};lr>
         bob -> exchange    180
         exchange -> alice  180
             Record-Route: <sip:*@{exchange};lr>
         +2s bob -> exchange 200
         exchange -> alice  200
         alice -> exchange  ACK
         exchange -> bob    ACK
             Route: -
         +10s alice -> exchange BYE
         exchange -> bob    BYE
             Route: -
             Request-URI: sip:bob@{bob}
         bob -> exchange    200
         exchange -> alice  200 BYE",
    );
}
