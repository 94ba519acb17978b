//! What is held against strangers, and what they are not told.

use simnet::check;

#[test]
fn wrong_credentials_are_held_against_who_sent_them_whether_the_user_exists_or_not() {
    for who in ["alice has password wrong", "stranger claims to be nobody"] {
        let name = who.split(' ').next().expect("a name");
        check(&format!(
            "given {name} signs when asked, {who}
             {name} -> exchange  REGISTER exchange
             exchange -> {name}  401
             exchange tells nothing
             {name} -> exchange  REGISTER exchange
             exchange -> {name}  403
                 Reason-Phrase: Forbidden
             exchange tells WrongCredentials
             exchange tells nothing"
        ));
    }
}

/// A nonce that has come of age, or that another shard has made, is no wrong password.
#[test]
fn an_old_nonce_is_no_offence() {
    check(
        "given alice signs when asked
         alice -> exchange  REGISTER exchange
         exchange -> alice  401
         +3600s alice -> exchange  REGISTER exchange
         exchange -> alice  401
             WWW-Authenticate: Digest *stale=true*
         exchange tells nothing",
    );
}

#[test]
fn strangers_are_told_the_same_of_users_who_do_not_exist_and_of_those_who_are_not_there() {
    for method in ["INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE"] {
        let ack = if method == "INVITE" { "stranger -> exchange ACK" } else { "" };
        for (user, told) in [("bob", "nothing"), ("nobody", "UnknownUser")] {
            check(&format!(
                "stranger -> exchange  {method} sip:{user}@example.org
                 exchange -> stranger  480
                     Reason-Phrase: Temporarily Unavailable
                     Retry-After: -
                     Warning: -
                 {ack}
                 exchange tells {told}
                 exchange tells nothing"
            ));
        }
    }
}

#[test]
fn users_may_ask_for_whom_they_like() {
    check(
        "alice -> exchange  MESSAGE sip:nobody@example.org
         exchange -> alice  480
         exchange tells nothing",
    );
}

#[test]
fn a_scanner_gets_no_answer() {
    for agent in ["friendly-scanner", "sipvicious/0.3", "sipcli/v1.8"] {
        for request in
            ["OPTIONS exchange", "REGISTER exchange", "INVITE bob", "OPTIONS sip:100@example.org", "SUBSCRIBE bob"]
        {
            check(&format!(
                "given bob registered
                 stranger -> exchange  {request}
                     User-Agent: {agent}
                 +1ms exchange tells Scanner
                 exchange tells nothing"
            ));
        }
    }
    check(
        "stranger -> exchange  OPTIONS exchange
             User-Agent: sipsak 0.9.8
         exchange -> stranger  200
         exchange tells nothing",
    );
}

#[test]
fn what_is_no_message_is_held_against_who_sent_it() {
    check(
        "stranger -> exchange  \"GET / HTTP/1.1\"
         +1ms exchange tells Malformed
         exchange tells nothing",
    );
}

#[test]
fn malformed_credentials_are_held_against_who_sent_them() {
    for credentials in [
        "Digest realm=\"example.org\", nonce=x",
        "Digest realm=\"example.org\", nonce=\"x\", username=\"alice\", uri=\"sip:example.org\", response=\"zz\"",
        "Digest realm=\"example.org\", nonce=\"x\", username=\"alice",
    ] {
        check(&format!(
            "given alice never signs
             alice -> exchange  REGISTER exchange
                 Authorization: {credentials}
             exchange -> alice  400
             exchange tells Malformed
             exchange tells nothing"
        ));
    }
}
