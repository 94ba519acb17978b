use std::fmt;
use std::fs;
use std::net::SocketAddr;
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
        .flat_map(|text| inodes_at(&text, address.port(), table == "tcp"))
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

/// The inodes of the sockets in a /proc/net table that are bound to `port` (and, of TCP, listen).
fn inodes_at(table: &str, port: u16, listening: bool) -> Vec<u64> {
    let of_line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (_, local_port) = fields.nth(1)?.rsplit_once(':')?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?.parse().ok()?;
        let ours = u16::from_str_radix(local_port, 16).ok()? == port && (!listening || state == "0A");
        ours.then_some(inode)
    };
    table.lines().filter_map(of_line).collect()
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
        assert_eq!(inodes_at(table, 5060, true), [2345]);
        assert_eq!(inodes_at(table, 5060, false), [2345, 77]);
        assert_eq!(inodes_at(table, 5061, true), [9]);
    }
}
