//! Lists of Route values as text.

use sip_message::NameAddr;

/// The URI of the first value of a list of routes; `None` when it is none (RFC 3261 section 20.34).
pub fn first_route(list: &str) -> Option<&str> {
    NameAddr::parse(&list[..end_of_first(list)]).ok().map(|address| address.uri)
}

/// The values behind the first.
pub(crate) fn rest(list: &str) -> &str {
    list.get(end_of_first(list) + 1..).unwrap_or("").trim()
}

/// Whether a router with this URI works by RFC 2543: it has no `lr`.
pub(crate) fn is_strict(route: &str) -> bool {
    sip_message::Uri::parse(route).ok().and_then(|uri| uri.param("lr")).is_none()
}

/// Where the first value ends: at a comma outside quotes and angle brackets.
fn end_of_first(list: &str) -> usize {
    let (mut quoted, mut inside, mut escaped) = (false, false, false);
    for (at, letter) in list.bytes().enumerate() {
        match letter {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !inside => quoted = !quoted,
            b'<' if !quoted => inside = true,
            b'>' if !quoted => inside = false,
            b',' if !quoted && !inside => return at,
            _ => {}
        }
    }
    list.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_list_and_the_rest() {
        for (list, first, others) in [
            ("<sip:a;lr>", Some("sip:a;lr"), ""),
            ("<sip:a;lr>,<sip:b;lr>", Some("sip:a;lr"), "<sip:b;lr>"),
            ("\"x, \\\" <\" <sip:a,b@c;lr>;p=1 , <sip:b;lr>, <sip:c>", Some("sip:a,b@c;lr"), "<sip:b;lr>, <sip:c>"),
            ("<sip:a;lr>,", Some("sip:a;lr"), ""),
            ("", None, ""),
        ] {
            assert_eq!((first_route(list), rest(list)), (first, others), "{list}");
        }
        assert!(is_strict("sip:a") && !is_strict("sip:a;lr") && !is_strict("sips:u@a:5061;transport=tcp;lr=on"));
    }
}
