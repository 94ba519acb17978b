use crate::text::{is_lws, is_token, split_once, trim_lws};
use crate::uri::{host_port, leading_host_port};
use crate::{BadValue, Host, Params, Transport};
use memchr::memchr;
use std::net::IpAddr;

/// One value of a Via field (RFC 3261 section 20.42): a hop that the request passed, where its response goes back to.
#[derive(Debug, Clone, Copy)]
pub struct Via<'a> {
    /// The transport; `None` for one that we do not know.
    pub transport: Option<Transport>,
    /// The transport as written.
    pub transport_text: &'a str,
    /// sent-by: the host.
    pub host: Host<'a>,
    /// sent-by: the port, when written.
    pub port: Option<u16>,
    /// sent-by as written.
    pub sent_by: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

/// What a branch begins with when it is unique (RFC 3261 section 8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

impl<'a> Via<'a> {
    /// Parses one value.
    pub fn parse(text: &'a str) -> Result<Via<'a>, BadValue> {
        let bad = BadValue("Via does not begin with SIP, a version and a transport");
        let text = trim_lws(text);
        let rest = match text.strip_prefix("SIP/2.0/") {
            Some(rest) => rest,
            None => {
                // Spaces around the slashes, or a name in other letters.
                let (name, rest) = split_once(text, b'/').ok_or(bad)?;
                let (version, rest) = split_once(rest, b'/').ok_or(bad)?;
                // Whose version is not ours is answered with a 505, for which its Via must be read.
                if !trim_lws(name).eq_ignore_ascii_case("SIP") || !is_token(trim_lws(version)) {
                    return Err(bad);
                }
                rest
            }
        };
        let rest = trim_lws(rest);
        let end = rest.bytes().position(is_lws).ok_or(BadValue("Via without sent-by"))?;
        let (transport_text, rest) = rest.split_at(end);
        let sent_by = &rest[1..]; // behind the one space that most have
        if let Some((host, port, end)) = leading_host_port(sent_by) {
            let (sent_by, params) = sent_by.split_at(end);
            let (transport, params) = (Transport::parse(transport_text), Params::new(params));
            if !params.as_str().starts_with('?') {
                return Ok(Via { transport, transport_text, host, port, sent_by, params });
            }
        }
        let end = memchr(b';', rest.as_bytes()).unwrap_or(rest.len());
        let (sent_by, params) = rest.split_at(end);
        let sent_by = trim_lws(sent_by);
        let (host, port) = host_port(sent_by)?;
        Ok(Via {
            transport: Transport::parse(transport_text),
            transport_text,
            host,
            port,
            sent_by,
            params: Params::new(params),
        })
    }

    /// The branch parameter.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// The received parameter, when it is an address (an IPv6 one with or without brackets, RFC 5118 section 4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        text.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The rport parameter (RFC 3581): `Some(None)` asks for it, `Some(Some(port))` is filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|port| port.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::Via;
    use crate::{Host, Transport};

    #[test]
    fn forms_of_a_via() {
        let via =
            Via::parse("SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1")
                .unwrap();
        assert_eq!(
            (via.transport, via.port, via.branch()),
            (Some(Transport::Udp), Some(4000), Some("z9hG4bKa7c6a8dlze.1"))
        );
        let via = Via::parse("SIP/2.0/SCTP [2001:db8::9:1]:5;received=[2001:db8::9:255];rport;branch=x").unwrap();
        assert_eq!((via.transport, via.transport_text, via.rport()), (None, "SCTP", Some(None)));
        assert_eq!(via.host, Host::V6("2001:db8::9:1".parse().unwrap()));
        assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
        assert_eq!(Via::parse("SIP/2.0/UDP h;rport=77").unwrap().rport(), Some(Some(77)));
        for bad in
            ["", "SIP/2.0/UDP", "SIP/3 0/UDP h", "SAP/2.0/UDP h", "UDP h", "SIP/2.0/UDP h:x", "SIP/2.0/UDP ho st"]
        {
            assert!(Via::parse(bad).is_err(), "{bad}");
        }
    }
}
