//! Every state and every event: the table at [`calls::State`].

use crate::world::check;

const TRYING: &str = "alice INVITE\n-> started 0.1\n";
const RINGING: &str = "alice INVITE\n-> started 0.1\nbob 180\n";
const ANSWERED: &str = "alice INVITE\n-> started 0.1\nbob 180\nbob 200\n-> answered 0.1\nalice ACK\n";

const BYES: &str = "ops hang up 0.1
    -> bye bob over bob: sip:bob@10.0.0.2:5060 a>b 2
    -> bye alice over alice: sip:alice@10.0.0.1:5060 b>a 1
    -> ended 0.1 ByUs";

#[test]
fn every_state_and_every_event() {
    for (state, event, after) in [
        (TRYING, "bob 183", "Ringing"),
        (TRYING, "bob 180 tag=-", "Ringing"),
        (TRYING, "bob 100 tag=-", "Trying"),
        (TRYING, "bob 200\n-> answered 0.1", "Answered"),
        (TRYING, "back 404\n-> ended 0.1 Refused(404)", ""),
        (TRYING, "alice CANCEL", "Trying"),
        (TRYING, "alice BYE cseq=2", "Trying"),
        (TRYING, "bob BYE", "Trying"),
        (TRYING, "ops hang up 0.1\n-> give up 1", "Trying"),
        (TRYING, "+1000s\n-> ended 0.1 Lost", ""),
        (RINGING, "bob 183", "Ringing"),
        (RINGING, "bob 200\n-> answered 0.1", "Answered"),
        (RINGING, "back 404\n-> ended 0.1 Refused(404)", ""),
        (RINGING, "alice CANCEL", "Ringing"),
        (RINGING, "alice BYE cseq=2", "Ringing"),
        (RINGING, "bob BYE", "Ringing"),
        (RINGING, "ops hang up 0.1\n-> give up 1", "Ringing"),
        (RINGING, "+1000s\n-> ended 0.1 Lost", ""),
        (ANSWERED, "bob 183 tag=c", "Answered"),
        (ANSWERED, "bob 200", "Answered"),
        (ANSWERED, "bob 200 tag=c", "Answered"),
        (ANSWERED, "back 404", "Answered"),
        (ANSWERED, "alice CANCEL", "Answered"),
        (ANSWERED, "alice BYE cseq=2\n-> ended 0.1 HungUp(Caller)", ""),
        (ANSWERED, "bob BYE\n-> ended 0.1 HungUp(Callee)", ""),
        (ANSWERED, BYES, ""),
        (ANSWERED, "alice UPDATE cseq=2\nbob 200 method=UPDATE cseq=2 se=90\n+130s\n-> ended 0.1 Expired", ""),
        (ANSWERED, "+1000s", "Answered"),
        (ANSWERED, "+90000s\n-> ended 0.1 Lost", ""),
    ] {
        let world = check(&format!("{state}{event}"));
        let found: Vec<String> = world.calls.list().map(|call| format!("{:?}", call.state())).collect();
        assert_eq!(found.concat(), after, "{state}{event}");
    }
}
