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

/// The bytes of the control messages of one datagram, either way round: packet information of either family, and the length of
/// pieces.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct Control([u8; Control::BYTES]);

impl Control {
    /// `CMSG_SPACE` of `in6_pktinfo`, the larger of the two, and of an integer.
    pub(super) const BYTES: usize = 40 + 24;

    pub(super) const fn zeroed() -> Control {
        Control([0; Control::BYTES])
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        self.0.as_mut_ptr().cast()
    }

    /// Adds, after the first `used` bytes, the packet information that makes `local` the source address, and tells how many are used
    /// then. A link-local source also names its interface.
    pub(super) fn add_source(&mut self, used: usize, local: SocketAddr) -> usize {
        match local {
            SocketAddr::V4(a) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: in_addr(*a.ip()),
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                self.add(used, libc::IPPROTO_IP, libc::IP_PKTINFO, info)
            }
            SocketAddr::V6(a) => {
                let info = libc::in6_pktinfo { ipi6_addr: in6_addr(*a.ip()), ipi6_ifindex: a.scope_id() };
                self.add(used, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info)
            }
        }
    }

    /// Adds that the kernel is to cut what is sent into datagrams of `bytes`, the last of which may be shorter.
    pub(super) fn add_segment(&mut self, used: usize, bytes: u16) -> usize {
        self.add(used, libc::SOL_UDP, libc::UDP_SEGMENT, bytes)
    }

    fn add<T: Copy>(&mut self, used: usize, level: libc::c_int, kind: libc::c_int, value: T) -> usize {
        let bytes = size_of::<T>() as u32;
        // SAFETY: these two calculate, nothing else.
        let (length, space) = unsafe { (libc::CMSG_LEN(bytes), libc::CMSG_SPACE(bytes) as usize) };
        assert!(used + space <= Control::BYTES, "no room for a control message");
        // SAFETY: there is room for the header and the value after `used`, as was just made sure; what is used so far is a sum of
        // CMSG_SPACEs, so that the header is aligned as `self` is. The value is written unaligned.
        unsafe {
            let header: *mut libc::cmsghdr = self.0.as_mut_ptr().add(used).cast();
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            (*header).cmsg_len = length as _;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
        }
        used + space
    }
}

/// What the control messages of a received message tell.
#[derive(Default)]
pub(super) struct Told {
    /// The local address it was sent to, and the interface of a link-local one.
    pub(super) destination: Option<(IpAddr, u32)>,
    /// It is several datagrams one behind the other, each of so many bytes but the last, which may be shorter.
    pub(super) segment: Option<usize>,
}

/// Reads the control messages of a received message.
///
/// # Safety
/// `message` must have been filled by a system call that succeeded, and its control buffer must still be alive.
pub(super) unsafe fn told(message: &libc::msghdr) -> Told {
    let mut told = Told::default();
    // SAFETY: the caller's promise; the CMSG macros stay within `msg_controllen`, and data is read unaligned.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            let data = libc::CMSG_DATA(header);
            match ((*header).cmsg_level, (*header).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info: libc::in_pktinfo = data.cast::<libc::in_pktinfo>().read_unaligned();
                    // `ipi_addr` is the destination in the header, `ipi_spec_dst` our own address: they differ for broadcasts.
                    let ip = Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes());
                    told.destination = Some((ip.into(), 0));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info: libc::in6_pktinfo = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    let scope = if ip.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
                    told.destination = Some((ip.into(), scope));
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let bytes = data.cast::<libc::c_int>().read_unaligned();
                    told.segment = usize::try_from(bytes).ok().filter(|bytes| *bytes > 0);
                }
                _ => {}
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    told
}
