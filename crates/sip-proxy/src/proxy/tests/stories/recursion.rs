use super::*;

const CONTACT: HeaderName = HeaderName::Contact;

fn redirected(status: u16, contacts: &str) -> Story {
    let mut story = Story::new();
    story.invite(TargetSet { targets: vec![at(1, 1000)], recurse: true, ..TargetSet::default() });
    story.tells(&["INVITE sip:1@x > 1"]);
    story.says_more(1, status, &[(CONTACT, contacts)]);
    story.told();
    story
}

/// RFC 3261 section 16.7 item 4, in the order of 16.6.
#[test]
fn contacts_are_tried_by_their_q_and_the_caller_sees_no_3xx() {
    let mut story = redirected(302, "<sip:low@y>;q=0.1, <sip:high@y;method=BYE;p=1?Subject=x>, <tel:+1234>;q=0.1");
    assert_eq!(story.found(&[2]), "sip:high@y;method=BYE;p=1?Subject=x");
    story.tells(&["INVITE sip:high@y;p=1 > 2"]); // what a Request-URI cannot have is gone
    story.says(2, 404);
    story.tells(&[]);
    assert_eq!(story.found(&[3]), "sip:low@y");
    assert_eq!(story.ours(vec![at(4, 1000)]), "tel:+1234");
    story.tells(&["INVITE sip:low@y > 3", "INVITE sip:4@x > 4"]);
    story.says(3, 200);
    story.tells(&["200"]);
    story.ends();
}

/// Section 16.5: no URI is in the target set twice.
#[test]
fn nothing_is_tried_twice() {
    let mut story = Story::new();
    let by_path = Target { routes: Some("<sip:edge;lr>".into()), ..at(1, 1000) };
    story.invite(TargetSet { targets: vec![by_path], recurse: true, ..TargetSet::default() });
    story.told();
    story.says_more(1, 302, &[(CONTACT, "<sip:1@X>, <sip:b@b>, <sip:c@y>")]);
    assert_eq!(story.found(&[2]), "sip:c@y");
    story.tells(&["INVITE sip:c@y > 2"]);
    story.says_more(2, 301, &[(CONTACT, "<sip:%63@y>")]);
    story.tells(&["480"]);
    story.ends();
}

#[test]
fn a_redirection_without_end_ends() {
    let mut story = redirected(302, "<sip:x0@y>");
    for n in 1.. {
        if story.bench.proxy.is_empty() {
            assert_eq!(n, TARGETS_MAX);
            break;
        }
        story.found(&[2]);
        story.told();
        story.says_more(2, 302, &[(CONTACT, &format!("<sip:x{n}@y>"))]);
        story.told();
    }
    story.ends();
}

#[test]
fn what_nobody_can_follow_goes_to_the_caller() {
    for (status, contacts) in [(302, "<mailto:b@b>"), (380, "<sip:c@y>"), (300, "")] {
        let mut story = Story::new();
        story.invite(TargetSet { targets: vec![at(1, 1000)], recurse: true, ..TargetSet::default() });
        story.told();
        story.says_more(1, status, &[(CONTACT, contacts)]);
        story.tells(&[&status.to_string()]);
        story.ends();
    }
}

/// Section 16.7 item 4: what was followed is taken out of the response.
#[test]
fn what_is_left_of_a_3xx_is_what_was_not_followed() {
    let mut story = redirected(302, "<sip:c@y>, \"B\" <mailto:b@b>;q=0.5");
    story.found(&[2]);
    story.told();
    story.says(2, 404);
    let mut contacts = Vec::new();
    while let Some(output) = story.bench.layer.poll_output() {
        match output {
            Output::Send { bytes, transaction: None, .. } => {
                let response = Message::parse(bytes).expect("ours");
                assert_eq!(response.status(), 302); // better than a 404 (item 6)
                contacts.extend(response.values(CONTACT).map(str::to_owned));
            }
            Output::Event(Event::Response { id, packet }) => {
                story.bench.proxy.handle_response(story.bench.now, &mut story.bench.layer, id, packet);
            }
            _ => {}
        }
    }
    assert_eq!(contacts, ["<mailto:b@b>"]);
    story.ends();
}

/// RFC 3261 section 21.3.4: the same request, through that proxy.
#[test]
fn a_305_is_followed_through_the_proxy_that_it_names() {
    let mut story = redirected(305, "<sip:proxy.y>");
    assert_eq!(story.found(&[2]), "sip:proxy.y;lr");
    story.tells(&["INVITE sip:1@x > 2"]);
    assert_eq!(story.field(2, HeaderName::Route).as_deref(), Some("<sip:proxy.y;lr>"));
    story.says_more(2, 305, &[(CONTACT, "<sip:proxy.y>")]);
    story.tells(&["480"]);
    story.ends();
}

#[test]
fn without_leave_a_3xx_is_the_answer() {
    let mut story = Story::new();
    story.invite(vec![at(1, 1000)].into());
    story.told();
    story.says_more(1, 302, &[(CONTACT, "<sip:c@y>")]);
    story.tells(&["302"]);
    story.ends();
}

/// Section 16.7 item 4: `sips` is not left behind.
#[test]
fn a_sips_request_is_not_redirected_to_sip() {
    let mut story = Story::new();
    let id = story.comes("INVITE", "sips:b@b", "");
    story.goes_to(id, TargetSet { targets: vec![at(1, 1000)], recurse: true, ..TargetSet::default() });
    story.told();
    story.says_more(1, 302, &[(CONTACT, "<sip:c@y>, <sips:d@y>")]);
    story.told();
    assert_eq!(story.found(&[2]), "sips:d@y");
    story.says(2, 404);
    story.told();
    story.ends();
}

/// What was told to one target is not told to others, what was kept from it is kept from them.
#[test]
fn changes_for_one_target_do_not_follow_a_redirection_but_removals_do() {
    let mut story = Story::new();
    let id = story.comes("INVITE", "sip:b@b", "Subject: secret\r\n");
    let edits = [
        crate::HeaderEdit::Remove(HeaderName::Subject),
        crate::HeaderEdit::Append(HeaderName::PAssertedIdentity, "<sip:a@a>".into()),
    ];
    let target = Target { edits: edits.into_iter().collect(), ..at(1, 1000) };
    story.goes_to(id, TargetSet { targets: vec![target], recurse: true, ..TargetSet::default() });
    story.told();
    assert_eq!(story.field(1, HeaderName::PAssertedIdentity).as_deref(), Some("<sip:a@a>"));
    story.says_more(1, 302, &[(CONTACT, "<sip:c@y>")]);
    story.told();
    story.found(&[2]);
    story.told();
    assert_eq!((story.field(2, HeaderName::PAssertedIdentity), story.field(2, HeaderName::Subject)), (None, None));
    story.says(2, 404);
    story.ends();
}
