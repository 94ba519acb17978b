use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Room for an IPv4 or an IPv6 socket address as the kernel lays it out.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl Name {
    pub(super) const BYTES: libc::socklen_t = size_of::<Name>() as libc::socklen_t;

    pub(super) const fn zeroed() -> Name {
        // SAFETY: both variants are plain C structs of integers, for which all-zero bytes are a value.
        unsafe { std::mem::zeroed() }
    }

    /// The kernel's form of `address`, and its length.
    pub(super) fn new(address: SocketAddr) -> (Name, libc::socklen_t) {
        let mut name = Name::zeroed();
        match address {
            SocketAddr::V4(a) => {
                name.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: a.port().to_be(),
                    sin_addr: in_addr(*a.ip()),
                    sin_zero: [0; 8],
                };
                (name, size_of::<libc::sockaddr_in>() as libc::socklen_t)
            }
            SocketAddr::V6(a) => {
                name.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: a.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: in6_addr(*a.ip()),
                    sin6_scope_id: a.scope_id(),
                };
                (name, size_of::<libc::sockaddr_in6>() as libc::socklen_t)
            }
        }
    }

    /// What the kernel wrote, or `None` for a family that is not IP's.
    pub(super) fn get(&self) -> Option<SocketAddr> {
        // SAFETY: both variants begin with the family, and every byte of the union is initialised (it began as zeroes), so either
        // may be read as integers.
        let (v4, v6) = unsafe { (self.v4, self.v6) };
        match libc::c_int::from(v4.sin_family) {
            libc::AF_INET => {
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

/// An IPv4 address as the kernel lays it out.
pub(super) fn in_addr(ip: Ipv4Addr) -> libc::in_addr {
    libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) }
}

/// An IPv6 address as the kernel lays it out.
pub(super) fn in6_addr(ip: Ipv6Addr) -> libc::in6_addr {
    libc::in6_addr { s6_addr: ip.octets() }
}

/// The bytes of one control message with packet information, either way round and of either family.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct Control([u8; Control::BYTES]);

impl Control {
    /// `CMSG_SPACE` of the larger one, `in6_pktinfo`.
    pub(super) const BYTES: usize = 40;

    pub(super) const fn zeroed() -> Control {
        Control([0; Control::BYTES])
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        self.0.as_mut_ptr().cast()
    }

    /// The packet information that makes `local` the source address, and its length. A link-local source also names its interface.
    pub(super) fn source(local: SocketAddr) -> (Control, usize) {
        let mut control = Control::zeroed();
        // SAFETY: every access is made through `write_unaligned` or `CMSG_DATA` arithmetic inside the 40 bytes of `control`, which is
        // aligned for `cmsghdr`; CMSG_SPACE(in6_pktinfo) is 40 and CMSG_SPACE(in_pktinfo) is 32.
        unsafe {
            let header: *mut libc::cmsghdr = control.as_mut_ptr().cast();
            match local {
                SocketAddr::V4(a) => {
                    let bytes = size_of::<libc::in_pktinfo>() as u32;
                    (*header).cmsg_level = libc::IPPROTO_IP;
                    (*header).cmsg_type = libc::IP_PKTINFO;
                    (*header).cmsg_len = libc::CMSG_LEN(bytes) as usize;
                    let info = libc::in_pktinfo {
                        ipi_ifindex: 0,
                        ipi_spec_dst: in_addr(*a.ip()),
                        ipi_addr: libc::in_addr { s_addr: 0 },
                    };
                    libc::CMSG_DATA(header).cast::<libc::in_pktinfo>().write_unaligned(info);
                    (control, libc::CMSG_SPACE(bytes) as usize)
                }
                SocketAddr::V6(a) => {
                    let bytes = size_of::<libc::in6_pktinfo>() as u32;
                    (*header).cmsg_level = libc::IPPROTO_IPV6;
                    (*header).cmsg_type = libc::IPV6_PKTINFO;
                    (*header).cmsg_len = libc::CMSG_LEN(bytes) as usize;
                    let info = libc::in6_pktinfo { ipi6_addr: in6_addr(*a.ip()), ipi6_ifindex: a.scope_id() };
                    libc::CMSG_DATA(header).cast::<libc::in6_pktinfo>().write_unaligned(info);
                    (control, libc::CMSG_SPACE(bytes) as usize)
                }
            }
        }
    }
}

/// The local address in the packet information of a received message (and, of a link-local one, the interface), or `None`.
///
/// # Safety
/// `message` must have been filled by a system call that succeeded, and its control buffer must still be alive.
pub(super) unsafe fn destination(message: &libc::msghdr) -> Option<(IpAddr, u32)> {
    // SAFETY: the caller's promise; the CMSG macros stay within `msg_controllen`, and data is read unaligned.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            let data = libc::CMSG_DATA(header);
            match ((*header).cmsg_level, (*header).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info: libc::in_pktinfo = data.cast::<libc::in_pktinfo>().read_unaligned();
                    // `ipi_addr` is the destination in the header, `ipi_spec_dst` our own address: they differ for broadcasts.
                    return Some((Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes()).into(), 0));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info: libc::in6_pktinfo = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    let scope = if ip.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
                    return Some((ip.into(), scope));
                }
                _ => header = libc::CMSG_NXTHDR(message, header),
            }
        }
        None
    }
}
