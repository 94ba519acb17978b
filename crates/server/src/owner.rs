use crate::Keys;
use sip_message::{Message, Method};
use sip_transaction::TransactionLayer;

/// The shard, out of `shards`, that a message belongs to: a response to the one whose branch it carries, a REGISTER to the one
/// that answers for its address-of-record, any other request to the one that answers for its Call-ID.
///
/// A branch of a shard that is no more (the machine had more cores before a restart) falls back to the Call-ID.
pub fn owner(keys: &Keys, shards: usize, message: &Message) -> usize {
    if shards <= 1 {
        return 0;
    }
    let by_hash = |text: &str| (keys.shard.of(&[text.as_bytes()]) % shards as u128) as usize;
    if !message.is_request() {
        let branch = message.top_via().ok().and_then(|via| via.branch());
        let shard = branch.and_then(|branch| TransactionLayer::shard_of_branch(&keys.branch, branch)).map(usize::from);
        return shard.filter(|shard| *shard < shards).unwrap_or_else(|| by_hash(message.call_id()));
    }
    if message.method() == Method::Register
        && let Some(user) = message.to().ok().and_then(|to| to.uri_parsed().ok()?.user)
    {
        return by_hash(user);
    }
    by_hash(message.call_id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn request(method: &str, call_id: &str) -> Message {
        let text = format!(
            "{method} sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\r\n"
        );
        Message::parse(Bytes::from(text)).expect("well-formed")
    }

    #[test]
    fn a_call_stays_with_its_shard_and_a_user_with_theirs() {
        let keys = Keys::from_secret([1; 32]);
        for n in 0..20 {
            let call = format!("call-{n}");
            let of = |method: &str| owner(&keys, 4, &request(method, &call));
            assert_eq!([of("INVITE"); 3], [of("ACK"), of("CANCEL"), of("BYE")]);
            assert_eq!(of("REGISTER"), owner(&keys, 4, &request("REGISTER", "another")));
        }
        let spread: std::collections::BTreeSet<usize> =
            (0..50).map(|n| owner(&keys, 4, &request("INVITE", &n.to_string()))).collect();
        assert_eq!(spread.len(), 4);
        assert_eq!([0, 1].map(|shards| owner(&keys, shards, &request("INVITE", "x"))), [0, 0]);
    }
}
