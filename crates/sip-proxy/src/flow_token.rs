use crate::route_token::{put_flow, read_text, take_flow, write_text};
use engine::Mac;
use sip_message::Transport;
use sip_transaction::Flow;
use std::fmt::{self, Display};

/// RFC 5626's flow token (section 5.2): one flow, signed, and bound to nothing else.
///
/// An edge proxy writes it into Path, so that what is sent to a binding comes back to the edge with it and goes over the very flow
/// that the phone has opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowToken(pub Flow);

const SIGNATURE_BYTES: usize = 8;

impl FlowToken {
    /// The token's text, fit to be the user part of a URI.
    pub fn write(&self, mac: &Mac) -> String {
        let mut bytes = Vec::with_capacity(64);
        put_flow(&mut bytes, &self.0);
        let signature = sign(mac, &bytes);
        bytes.extend_from_slice(&signature);
        write_text(&bytes)
    }

    /// The token that `text` is, `None` when nobody with this key has written it.
    pub fn read(mac: &Mac, text: &str) -> Option<FlowToken> {
        let bytes = read_text(text)?;
        let (payload, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE_BYTES)?)?;
        if sign(mac, payload) != signature {
            return None;
        }
        let mut rest = payload;
        take_flow(&mut rest).map(FlowToken)
    }

    /// The value for Path (RFC 3327) of a REGISTER that came over the token's flow: `own` is the flow that the REGISTER leaves by, where
    /// the registrar will find us. With `ob` when the phone speaks RFC 5626 (section 5.1).
    pub fn path(&self, mac: &Mac, own: Flow, ob: bool) -> impl Display {
        Path { token: self.write(mac), own, ob }
    }
}

struct Path {
    token: String,
    own: Flow,
    ob: bool,
}

impl Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<sip:{}@{}", self.token, self.own.local)?;
        if self.own.transport != Transport::Udp {
            write!(f, ";transport={}", self.own.transport.as_param())?;
        }
        f.write_str(if self.ob { ";lr;ob>" } else { ";lr>" })
    }
}

/// The word keeps a signature of ours for another purpose from being one for a flow.
fn sign(mac: &Mac, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
    (mac.of(&[b"flow", bytes]) as u64).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip_transaction::ConnectionId;

    #[test]
    fn a_flow_comes_back_and_nobody_else_can_make_one() {
        let mac = Mac::from_key([1; 16]);
        let (local, remote) = (([10, 0, 0, 1], 443).into(), ([10, 0, 0, 9], 40_000).into());
        let flow = Flow { transport: Transport::Wss, local, remote, connection: Some(ConnectionId(77)) };
        let text = FlowToken(flow).write(&mac);
        assert_eq!(FlowToken::read(&mac, &text), Some(FlowToken(flow)));
        assert_eq!(FlowToken::read(&Mac::from_key([2; 16]), &text), None);
        for at in 0..text.len() - 1 {
            let mut forged = text.clone();
            let other = if text.as_bytes()[at] == b'Q' { "R" } else { "Q" };
            forged.replace_range(at..=at, other);
            assert_eq!(FlowToken::read(&mac, &forged), None, "{at}");
        }
        for junk in ["", "A", "alice", "ü", &"A".repeat(500)] {
            assert_eq!(FlowToken::read(&mac, junk), None);
        }
    }

    #[test]
    fn the_path_leads_back_to_where_the_register_left() {
        let mac = Mac::from_key([1; 16]);
        let flow = |transport| Flow {
            transport,
            local: ([10, 0, 0, 1], 5060).into(),
            remote: ([10, 0, 0, 9], 5060).into(),
            connection: None,
        };
        let token = FlowToken(flow(Transport::Udp));
        let text = token.write(&mac);
        for (own, ob, path) in [
            (Transport::Udp, true, format!("<sip:{text}@10.0.0.1:5060;lr;ob>")),
            (Transport::Tcp, false, format!("<sip:{text}@10.0.0.1:5060;transport=tcp;lr>")),
        ] {
            assert_eq!(token.path(&mac, flow(own), ob).to_string(), path);
        }
    }
}
