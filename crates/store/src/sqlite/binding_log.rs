use crate::Bindings;
use crate::bindings::{PARTS, part_of};
use crate::checksum::checksum;
use rusqlite::{Connection, Statement};
use sip_registrar::Record;

/// Bytes of log that are kept before parts are written down anew, however little there is in them.
pub(super) const LOG_BYTES_MIN: u64 = 16 << 20;

/// Bytes in front of the records in a blob: the checksum over the rest.
const SUM_BYTES: usize = 8;

/// Bindings as a log and, for each part of them, what stood there at some place in it.
///
/// After so many bytes of log as all parts have, each part has been written anew once, round and round, and what every part has overtaken
/// of the log is deleted: so opening reads at most twice what there is.
pub(super) struct BindingLog {
    now: Place,
    /// What holds once the transaction is committed.
    next: Place,
    /// Up to which place of the log each part was written.
    parts: Vec<Part>,
    /// Parts that the transaction writes, as they were before it.
    replaced: Vec<(usize, Part)>,
    log_bytes_min: u64,
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    /// The last row of the log.
    seq: i64,
    /// The first one, if it is not behind the last.
    first: i64,
    /// The part that is written next.
    cursor: usize,
    /// Bytes of log times parts that parts are still to be written for.
    owed: u64,
    /// Bytes in all parts.
    bytes: u64,
}

#[derive(Clone, Copy, Default)]
struct Part {
    seq: i64,
    bytes: u64,
}

/// Why nothing could be loaded.
pub(super) enum Failure {
    Sql(rusqlite::Error),
    Damaged(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Sql(error)
    }
}

impl BindingLog {
    pub(super) fn new(log_bytes_min: u64) -> BindingLog {
        let start = Place { first: 1, ..Place::default() };
        BindingLog {
            now: start,
            next: start,
            parts: vec![Part::default(); PARTS],
            replaced: Vec::new(),
            log_bytes_min,
            buffer: Vec::new(),
        }
    }

    /// Appends a group, and writes as many parts as stand in `standing` (which is without this group) as are due. It holds once
    /// [`BindingLog::written`] is called; if it is not, the next group takes this one's place.
    pub(super) fn write(&mut self, connection: &Connection, log: &[u8], standing: &Bindings) -> rusqlite::Result<()> {
        self.next = self.now;
        // Those of a transaction that came to nothing.
        self.replaced.drain(..).for_each(|(at, part)| self.parts[at] = part);
        self.write_due_parts(connection, log.len(), standing)?;
        self.next.seq += 1;
        self.buffer.clear();
        self.buffer.extend_from_slice(&checksum(log).to_le_bytes());
        self.buffer.extend_from_slice(log);
        let mut put = connection.prepare_cached("INSERT OR REPLACE INTO binding_log (seq, changes) VALUES (?1, ?2)")?;
        put.execute((self.next.seq, &self.buffer)).map(drop)
    }

    pub(super) fn written(&mut self) {
        self.now = self.next;
        self.replaced.clear();
    }

    fn write_due_parts(&mut self, connection: &Connection, log: usize, standing: &Bindings) -> rusqlite::Result<()> {
        self.next.owed += log as u64 * PARTS as u64;
        while self.next.owed >= self.next.bytes.max(self.log_bytes_min) {
            self.next.owed -= self.next.bytes.max(self.log_bytes_min);
            let at = self.next.cursor;
            self.encode_part(at, standing);
            let part = Part { seq: self.next.seq, bytes: self.buffer.len() as u64 };
            let mut put = connection
                .prepare_cached("INSERT OR REPLACE INTO binding_part (part, seq, records) VALUES (?1, ?2, ?3)")?;
            put.execute((at as i64, part.seq, &self.buffer))?;
            let before = std::mem::replace(&mut self.parts[at], part);
            self.replaced.push((at, before));
            self.next.bytes = self.next.bytes - before.bytes + part.bytes;
            self.next.cursor = (at + 1) % PARTS;
            if self.replaced.len() == PARTS {
                self.next.owed = 0; // a second time in one transaction would be for nothing
            }
        }
        if self.replaced.is_empty() {
            return Ok(());
        }
        let oldest = self.parts.iter().map(|part| part.seq).min().unwrap_or(0);
        if oldest >= self.next.first {
            connection.prepare_cached("DELETE FROM binding_log WHERE seq <= ?1")?.execute([oldest])?;
            self.next.first = oldest + 1;
        }
        Ok(())
    }

    fn encode_part(&mut self, at: usize, standing: &Bindings) {
        let part = standing.read(at);
        self.buffer.clear();
        self.buffer.extend_from_slice(&[0; SUM_BYTES]);
        self.buffer.extend_from_slice(&(part.records_len() as u32).to_le_bytes());
        part.records().for_each(|(aor, bindings)| Record::encode(aor, bindings, &mut self.buffer));
        drop(part);
        let sum = checksum(&self.buffer[SUM_BYTES..]);
        self.buffer[..SUM_BYTES].copy_from_slice(&sum.to_le_bytes());
    }

    /// Restores what stands, into a table in which nothing does.
    pub(super) fn load(&mut self, connection: &Connection, bindings: &Bindings) -> Result<(), Failure> {
        self.load_parts(connection.prepare("SELECT part, seq, records FROM binding_part")?, bindings)?;
        self.load_log(connection.prepare("SELECT seq, changes FROM binding_log ORDER BY seq")?, bindings)?;
        self.next = self.now;
        Ok(())
    }

    fn load_parts(&mut self, mut query: Statement<'_>, bindings: &Bindings) -> Result<(), Failure> {
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (at, seq): (i64, i64) = (row.get(0)?, row.get(1)?);
            let blob = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            let damaged = |what: &str| Failure::Damaged(format!("part {at} of the bindings: {what}"));
            let place = usize::try_from(at).ok().filter(|at| *at < PARTS).ok_or_else(|| damaged("there is none"))?;
            let mut records = checked(blob).ok_or_else(|| damaged("its checksum is wrong"))?;
            let (count, rest) = records.split_first_chunk().ok_or_else(|| damaged("it is cut off"))?;
            records = rest;
            bindings.write(place).reserve(u32::from_le_bytes(*count) as usize);
            while !records.is_empty() {
                let record = Record::decode(&mut records).map_err(|what| damaged(what.0))?;
                bindings.restore(place, record).map_err(|what| damaged(what.0))?;
            }
            self.parts[place] = Part { seq, bytes: blob.len() as u64 };
            self.now.bytes += blob.len() as u64;
        }
        Ok(())
    }

    fn load_log(&mut self, mut query: Statement<'_>, bindings: &Bindings) -> Result<(), Failure> {
        let seqs = || self.parts.iter().map(|part| part.seq);
        // A part whose turn has not come yet was never written, and stands at 0.
        let (oldest, latest) = (seqs().min().unwrap_or(0), seqs().max().unwrap_or(0));
        // The oldest whose neighbour before it is not: parts are written in turn.
        let is_oldest = |at: usize| self.parts[at % PARTS].seq == oldest;
        let cursor = (0..PARTS).find(|at| is_oldest(*at) && !is_oldest(at + PARTS - 1)).unwrap_or(0);
        let mut before = None;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let seq: i64 = row.get(0)?;
            let blob = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let damaged = |what: &str| Failure::Damaged(format!("row {seq} of the bindings' log: {what}"));
            if before.map_or(seq > oldest + 1, |before| seq != before + 1) {
                return Err(damaged("there is none before it"));
            }
            self.now.first = before.map_or(seq, |_| self.now.first);
            before = Some(seq);
            let mut records = checked(blob).ok_or_else(|| damaged("its checksum is wrong"))?;
            while !records.is_empty() {
                let record = Record::decode(&mut records).map_err(|what| damaged(what.0))?;
                let part = part_of(bindings.hash(record.aor()));
                if seq > self.parts[part].seq {
                    bindings.restore(part, record).map_err(|what| damaged(what.0))?;
                }
            }
        }
        // A part is never written before the group that it is up to, and that one is kept until all parts are beyond it.
        if latest > before.unwrap_or(0) && latest > oldest {
            return Err(Failure::Damaged(format!("the bindings' log ends before row {latest}")));
        }
        self.now.seq = before.unwrap_or(latest).max(latest);
        self.now.first = before.map_or(self.now.seq + 1, |_| self.now.first);
        self.now.cursor = cursor;
        Ok(())
    }
}

/// What is behind the checksum, if it fits.
fn checked(blob: &[u8]) -> Option<&[u8]> {
    let (sum, rest) = blob.split_first_chunk::<SUM_BYTES>()?;
    (checksum(rest) == u64::from_le_bytes(*sum)).then_some(rest)
}
