use super::{Binding, CALL_ID_BYTES_MAX, CONTACT_BYTES_MAX, PATH_BYTES_MAX, USER_AGENT_BYTES_MAX};
use crate::encoding::{Damaged, push_number, take, take_number, take_u32};
use sip_message::Transport;
use sip_transaction::Flow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Their place is their number, so that none may move.
const TRANSPORTS: [Transport; 5] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];

/// Which bit says that an address is an IPv6 one.
const LOCAL_V6: u8 = 0x10;
const REMOTE_V6: u8 = 0x20;

impl Binding {
    /// Appends: transport (one byte, in which 0x10 and 0x20 say that the addresses are IPv6), local and remote address, expiry and epoch
    /// (4 bytes each), CSeq, `q`, the lengths of the five texts, the texts.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let flow = self.flow();
        let transport = TRANSPORTS.iter().position(|one| *one == flow.transport).unwrap_or(0) as u8;
        let v6 = |address: SocketAddr, bit| if address.is_ipv6() { bit } else { 0 };
        to.push(transport | v6(flow.local, LOCAL_V6) | v6(flow.remote, REMOTE_V6));
        push_address(to, flow.local);
        push_address(to, flow.remote);
        to.extend_from_slice(&self.expires_at_s.to_le_bytes());
        to.extend_from_slice(&self.epoch.to_le_bytes());
        push_number(to, self.cseq);
        push_number(to, self.q.into());
        let mut before = 0;
        for end in self.ends {
            push_number(to, u32::from(end - before));
            before = end;
        }
        push_number(to, (self.text.len() - usize::from(before)) as u32);
        to.extend_from_slice(self.text.as_bytes());
    }

    pub(crate) fn decode(bytes: &mut &[u8]) -> Result<Binding, Damaged> {
        const MAX: [usize; 5] =
            [CONTACT_BYTES_MAX, CONTACT_BYTES_MAX, CALL_ID_BYTES_MAX, USER_AGENT_BYTES_MAX, PATH_BYTES_MAX];
        let head = take(bytes, 1)?.first().copied().unwrap_or(0);
        let transport = TRANSPORTS.get(usize::from(head & !(LOCAL_V6 | REMOTE_V6)));
        let transport = *transport.ok_or(Damaged("an unknown transport"))?;
        let local = take_address(bytes, head & LOCAL_V6 != 0)?;
        let remote = take_address(bytes, head & REMOTE_V6 != 0)?;
        let [expires_at_s, epoch] = [take_u32(bytes)?, take_u32(bytes)?];
        let [cseq, q] = [take_number(bytes)?, take_number(bytes)?];
        let mut lengths = [0; 5];
        for (length, max) in lengths.iter_mut().zip(MAX) {
            *length = take_number(bytes)? as usize;
            if *length > max {
                return Err(Damaged("a longer text than there may be"));
            }
        }
        let text = std::str::from_utf8(take(bytes, lengths.iter().sum())?).map_err(|_| Damaged("text that is none"))?;
        let mut end = 0;
        let ends = std::array::from_fn(|at| {
            end += lengths.get(at).copied().unwrap_or(0);
            end as u16
        });
        if q > 1000 || !ends.iter().all(|end| text.is_char_boundary(usize::from(*end))) {
            return Err(Damaged("numbers that cannot be"));
        }
        let flow = Flow { transport, local, remote, connection: None };
        Ok(Binding { text: text.into(), ends, flow: flow.into(), expires_at_s, cseq, epoch, q: q as u16 })
    }

    /// Whether it is `other` but for expiry and CSeq, and perhaps its connection.
    pub(crate) fn refreshes(&self, other: &Binding) -> bool {
        self.text == other.text
            && self.ends == other.ends
            && self.flow.is_like(&other.flow)
            && (self.epoch, self.q) == (other.epoch, other.q)
    }

    /// Takes over what a refresh changes.
    pub(crate) fn refresh(&mut self, new: &Binding) {
        (self.expires_at_s, self.cseq) = (new.expires_at_s, new.cseq);
        self.flow.clone_from(&new.flow);
    }

    /// The same, refreshed.
    pub(crate) fn refreshed(&self, expires_at_s: u32, cseq: u32) -> Binding {
        Binding { expires_at_s, cseq, ..self.clone() }
    }
}

fn push_address(to: &mut Vec<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => to.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => to.extend_from_slice(&ip.octets()),
    }
    to.extend_from_slice(&address.port().to_le_bytes());
    if let SocketAddr::V6(v6) = address {
        to.extend_from_slice(&v6.scope_id().to_le_bytes());
        to.extend_from_slice(&v6.flowinfo().to_le_bytes());
    }
}

fn take_address(bytes: &mut &[u8], v6: bool) -> Result<SocketAddr, Damaged> {
    let short = Damaged("it ends too early");
    let octets = take(bytes, if v6 { 16 } else { 4 })?;
    let port = u16::from_le_bytes(*take(bytes, 2)?.first_chunk().ok_or(short)?);
    if !v6 {
        return Ok(SocketAddr::from((Ipv4Addr::from(*octets.first_chunk::<4>().ok_or(short)?), port)));
    }
    let ip = Ipv6Addr::from(*octets.first_chunk::<16>().ok_or(short)?);
    let [scope_id, flowinfo] = [take_u32(bytes)?, take_u32(bytes)?];
    Ok(SocketAddrV6::new(ip, port, flowinfo, scope_id).into())
}
