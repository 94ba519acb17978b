use crate::AuthValue;
use crate::text::is_token;

/// What stands where a secret stood.
const HIDDEN: &str = "(hidden)";

/// Fields of which only what names somebody is shown: their response is as good as the password to who can guess (RFC 7616 section 5).
const CREDENTIALS: [&str; 2] = ["authorization", "proxy-authorization"];
/// Fields and lines of session descriptions that are hidden from here on: `rspauth` proves what `response` does; keys of media are keys.
const SECRETS: [&str; 5] = ["authentication-info:", "proxy-authentication-info:", "a=crypto:", "a=ice-pwd:", "k="];
/// Parameters of Digest credentials that are no secret.
const SHOWN: [&str; 8] = ["username", "realm", "nonce", "uri", "algorithm", "qop", "nc", "opaque"];

/// A message as text for logs, well-formed or not, without what must be in none: the proof in credentials (RFC 3261 section 20.7), and
/// the keys of media (RFC 4568, RFC 8839).
pub fn without_secrets(message: &[u8]) -> String {
    let message = String::from_utf8_lossy(message);
    let mut shown = String::with_capacity(message.len());
    let mut hiding = false;
    for line in message.split_inclusive('\n') {
        let text = line.trim_end_matches(['\r', '\n']);
        let end = &line[text.len()..];
        // A field goes on in lines that begin with white space.
        let goes_on = text.starts_with([' ', '\t']);
        let begins = |with: &&str| text.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
        let field =
            text.split_once(':').filter(|(name, _)| CREDENTIALS.iter().any(|of| name.trim().eq_ignore_ascii_case(of)));
        match (field, SECRETS.iter().find(|with| begins(with))) {
            _ if goes_on && hiding => shown.extend([" ", HIDDEN]),
            (Some((name, value)), _) if !goes_on => {
                hiding = true;
                shown.extend([name, ": ", &credentials(value)]);
            }
            (_, Some(with)) => {
                hiding = true;
                shown.extend([&text[..with.len()], " ", HIDDEN]);
            }
            _ => {
                hiding = false;
                shown += text;
            }
        }
        shown += end;
    }
    shown
}

fn credentials(value: &str) -> String {
    let mut shown = String::new();
    let read = AuthValue::read(value, |name, value| {
        let value =
            if SHOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) && is_plain(value) { value } else { HIDDEN };
        shown.extend([if shown.is_empty() { "" } else { ", " }, name, "=", value]);
    });
    match read {
        Ok(read) if read.scheme.eq_ignore_ascii_case("Digest") => format!("{} {shown}", read.scheme),
        Ok(read) => format!("{} {HIDDEN}", read.scheme),
        Err(_) => HIDDEN.to_owned(),
    }
}

/// Whether it is one value and nothing more: where a comma is forgotten, the next parameter would be shown with it.
fn is_plain(value: &str) -> bool {
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    is_token(value) || quoted.is_some_and(|inner| !inner.contains('"'))
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn who_somebody_is_stays_and_what_proves_it_goes() {
        let message = "REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"100\", realm=\"r\", nonce=\"n\", uri=\"sip:a\", \
                       response=\"5ec2e7\", cnonce=\"5ec2e7\", qop=auth, nc=00000001\r\nCall-ID: c\r\n\r\n";
        let shown = "REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"100\", realm=\"r\", nonce=\"n\", uri=\"sip:a\", \
                     response=(hidden), cnonce=(hidden), qop=auth, nc=00000001\r\nCall-ID: c\r\n\r\n";
        assert_eq!(without_secrets(message.as_bytes()), shown);
    }

    #[test]
    fn secrets_are_hidden_however_they_are_written() {
        for line in [
            "proxy-AUTHORIZATION : Digest response=5ec2e7",
            "Authorization:Digest RESPONSE=\"5ec2e7\"",
            "Authorization: Digest username=\"a\" response=\"5ec2e7\"",
            "Authorization: Digest username=a response=\"5ec2e7\"",
            "Authorization: Digest username=\"a, response=\"5ec2e7\"",
            "Authorization: Digest username=\"a\\\", response=\"5ec2e7",
            "Authorization: Digest username=\"a\",\r\n\tresponse=\"5ec2e7\"",
            "Authorization: Digest username=\"a\",\r\n  nc=1,\r\n  response=\"5ec2e7\"",
            "Authorization: Basic 5ec2e7",
            "Authorization: Basic x=5ec2e7",
            "Authorization: 5ec2e7",
            "Authorization: Bearer realm=5ec2e7",
            "Authentication-Info: qop=auth, rspauth=\"5ec2e7\"",
            "Authentication-Info: qop=auth,\r\n rspauth=\"5ec2e7\"",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ec2e7",
            "a=ice-pwd:5ec2e7",
            "k=clear:5ec2e7",
        ] {
            for end in ["\r\n", "\n", ""] {
                let shown = without_secrets(format!("OPTIONS sip:a SIP/2.0\r\n{line}{end}").as_bytes());
                assert!(!shown.contains("5ec2e7") && shown.contains("(hidden)"), "{line:?} is shown as {shown:?}");
            }
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for text in [
            "",
            "\r\n\r\n",
            "a\nb",
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n folded\r\n",
            "X: y\r\n z\r\n",
            "a=rtpmap:0 PCMU/8000\r\n",
        ] {
            assert_eq!(without_secrets(text.as_bytes()), text);
        }
        assert_eq!(without_secrets(b"\xff"), "\u{fffd}");
    }
}
