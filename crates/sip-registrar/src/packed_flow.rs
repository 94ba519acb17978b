use sip_message::Transport;
use sip_transaction::{ConnectionId, Flow};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6};

/// A [`Flow`] in half its size: there is one in each of a million bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackedFlow {
    local: Address,
    remote: Address,
    connection: u64,
    transport: Transport,
    connected: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    V4(Ipv4Addr, u16),
    V6(Box<SocketAddrV6>),
}

impl PackedFlow {
    pub(crate) fn unpack(&self) -> Flow {
        Flow {
            transport: self.transport,
            local: self.local.unpack(),
            remote: self.remote.unpack(),
            connection: self.connected.then_some(ConnectionId(self.connection)),
        }
    }

    /// Whether both have the same transport and addresses, over whatever connection.
    pub(crate) fn is_like(&self, other: &PackedFlow) -> bool {
        (self.transport, &self.local, &self.remote) == (other.transport, &other.local, &other.remote)
    }
}

impl From<Flow> for PackedFlow {
    fn from(flow: Flow) -> PackedFlow {
        PackedFlow {
            local: flow.local.into(),
            remote: flow.remote.into(),
            connection: flow.connection.map_or(0, |connection| connection.0),
            transport: flow.transport,
            connected: flow.connection.is_some(),
        }
    }
}

impl Address {
    fn unpack(&self) -> SocketAddr {
        match self {
            Address::V4(ip, port) => SocketAddr::from((*ip, *port)),
            Address::V6(address) => SocketAddr::V6(**address),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        match address {
            SocketAddr::V4(v4) => Address::V4(*v4.ip(), v4.port()),
            SocketAddr::V6(v6) => Address::V6(Box::new(v6)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PackedFlow;
    use sip_message::Transport;
    use sip_transaction::{ConnectionId, Flow};
    use std::net::{SocketAddr, SocketAddrV6};

    #[test]
    fn what_is_packed_comes_out_again() {
        let v4: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        let v6: SocketAddr = SocketAddrV6::new("fe80::1".parse().unwrap(), 5061, 7, 3).into();
        for (local, remote) in [(v4, v6), (v6, v4), (v4, v4)] {
            for connection in [None, Some(ConnectionId(0)), Some(ConnectionId(u64::MAX))] {
                let flow = Flow { transport: Transport::Tcp, local, remote, connection };
                assert_eq!(PackedFlow::from(flow).unpack(), flow);
            }
        }
        assert!(size_of::<PackedFlow>() <= 48, "{}", size_of::<PackedFlow>());
    }
}
