use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// The program that holds a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process number.
    pub pid: u32,
    /// Its name (`/proc/PID/comm`).
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// Who holds the port of `address`, as far as /proc lets us see: sockets of other users' processes are hidden from all but root.
/// `table` is "udp" or "tcp".
pub(super) fn find(table: &str, address: SocketAddr) -> Option<Holder> {
    let inodes: Vec<String> = [format!("/proc/net/{table}"), format!("/proc/net/{table}6")]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|text| inodes_at(&text, address, table == "tcp"))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let holds = fs::read_dir(process.path().join("fd")).ok()?.flatten().any(|fd| {
            fs::read_link(fd.path()).is_ok_and(|target| inodes.iter().any(|inode| target == Path::new(inode)))
        });
        let name = || fs::read_to_string(process.path().join("comm")).map_or_else(|_| "?".into(), |s| s.trim().into());
        holds.then(|| Holder { pid, name: name() })
    })
}

/// The inodes of the sockets in a /proc/net table that stand in the way of `wanted` (and, of TCP, listen): the same port on the same
/// address, or on all of them.
fn inodes_at(table: &str, wanted: SocketAddr, listening: bool) -> Vec<u64> {
    let of_line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (local_ip, local_port) = fields.nth(1)?.rsplit_once(':')?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?.parse().ok()?;
        let (ip, wanted_ip) = (read_ip(local_ip)?, wanted.ip().to_canonical());
        let same_ip = ip == wanted_ip || ip.is_unspecified() || wanted_ip.is_unspecified();
        let same_port = u16::from_str_radix(local_port, 16).ok()? == wanted.port();
        (same_ip && same_port && (!listening || state == "0A")).then_some(inode)
    };
    table.lines().filter_map(of_line).collect()
}

/// An address as /proc/net writes it: words of 32 bits in hexadecimal, each in the machine's own byte order.
fn read_ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    if hex.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let words = [word(0)?, word(1)?, word(2)?, word(3)?];
    let bytes: [u8; 16] = words.concat().try_into().ok()?;
    Some(IpAddr::from(Ipv6Addr::from(bytes)).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::inodes_at;

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref\n\
            0: 0100007F:13C4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2345 1 0 100\n\
            1: 0100007F:13C4 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 77 1 0 100\n\
            2: 00000000000000000000000001000000:13C5 00000000000000000000000000000000:0000 0A 0:0 00:0 0  0  0 9 2 0\n";
        let at = |address: &str, listening| inodes_at(table, address.parse().unwrap(), listening);
        assert_eq!(at("127.0.0.1:5060", true), [2345]);
        assert_eq!(at("127.0.0.1:5060", false), [2345, 77]);
        assert_eq!(at("0.0.0.0:5060", true), [2345]);
        assert_eq!(at("[::1]:5061", true), [9]);
    }

    #[test]
    fn the_same_port_on_another_address_is_not_in_the_way() {
        let table = "0: 0900007F:13C4 00000000:0000 07 0:0 00:0 0 0 0 2345 2 0\n\
            1: 00000000:13C4 00000000:0000 07 0:0 00:0 0 0 0 77 2 0\n";
        assert_eq!(inodes_at(table, "127.0.0.1:5060".parse().unwrap(), false), [77]);
        assert_eq!(inodes_at(table, "[2001:db8::1]:5061".parse().unwrap(), false), []);
    }
}
