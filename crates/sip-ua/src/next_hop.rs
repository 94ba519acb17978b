use sip_message::{NextHop, Uri};
use sip_transaction::Flow;
use std::net::IpAddr;

/// Where the URI of this text leads; `None` where we cannot go.
pub(crate) fn next_hop(uri: &str) -> Option<NextHop> {
    NextHop::of(&Uri::parse(uri).ok()?)
}

/// Whether `flow` leads there already: its far end is the literal address, port and transport of `hop`.
pub(crate) fn is_reached_by(hop: &NextHop, flow: &Flow) -> bool {
    let transport = hop.default_transport();
    transport == flow.transport
        && hop.host.parse::<IpAddr>() == Ok(flow.remote.ip())
        && hop.port.unwrap_or(transport.default_port()) == flow.remote.port()
}

#[cfg(test)]
mod tests {
    use super::{is_reached_by, next_hop};
    use sip_message::Transport;
    use sip_transaction::Flow;

    #[test]
    fn a_flow_reaches_a_literal_address_only() {
        let flow = |transport| Flow {
            transport,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "192.0.2.2:5060".parse().unwrap(),
            connection: None,
        };
        let reached = |uri, flow: &Flow| is_reached_by(&next_hop(uri).unwrap(), flow);
        assert!(reached("sip:192.0.2.2;lr", &flow(Transport::Udp)));
        assert!(reached("sip:192.0.2.2:5060;transport=tcp", &flow(Transport::Tcp)));
        assert!(!reached("sip:192.0.2.2;lr", &flow(Transport::Tcp)));
        assert!(!reached("sip:192.0.2.2:5061", &flow(Transport::Udp)));
        assert!(!reached("sip:192.0.2.3", &flow(Transport::Udp)));
        assert!(!reached("sip:example.org", &flow(Transport::Udp)));
    }
}
