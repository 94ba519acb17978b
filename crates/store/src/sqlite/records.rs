use super::file;
use super::rows::{from_ms, to_ms};
use crate::backend::{Query, RECORDS_PER_QUERY_MAX, Reader};
use crate::{RECORD_TEXT_BYTES_MAX, StoreError};
use calls::{CallRecord, End, Side};
use rusqlite::{Connection, Result, Row, params};
use std::path::{Path, PathBuf};

pub(super) fn write(connection: &Connection, record: &CallRecord) -> Result<()> {
    let sql = "INSERT INTO record (id, call_id, caller_uri, callee_uri, caller, callee, source, started_ms, answered_ms, ended_ms, \
               ended_by, status, how) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let row = params![
        record.id.to_string(),
        cut(&record.call_id),
        cut(&record.from),
        cut(&record.to),
        record.caller.as_deref().map(cut),
        record.callee.as_deref().map(cut),
        record.source.to_string(),
        to_ms(record.started),
        record.answered.map(to_ms),
        to_ms(record.ended),
        end_to_text(record.end),
        record.status,
        cut(&record.how),
    ];
    connection.prepare_cached(sql)?.execute(row).map(drop)
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(RECORD_TEXT_BYTES_MAX)).unwrap_or(text)
}

fn end_to_text(end: End) -> String {
    match end {
        End::HungUp(Side::Caller) => "caller".to_owned(),
        End::HungUp(Side::Callee) => "callee".to_owned(),
        End::Cancelled => "cancelled".to_owned(),
        End::Refused(status) => format!("refused {status}"),
        End::ByUs => "us".to_owned(),
        End::Expired => "expired".to_owned(),
        End::Lost => "lost".to_owned(),
        End::NoAck => "no ack".to_owned(),
    }
}

fn end_from_text(text: &str) -> Option<End> {
    Some(match text {
        "caller" => End::HungUp(Side::Caller),
        "callee" => End::HungUp(Side::Callee),
        "cancelled" => End::Cancelled,
        "us" => End::ByUs,
        "expired" => End::Expired,
        "lost" => End::Lost,
        "no ack" => End::NoAck,
        other => End::Refused(other.strip_prefix("refused ")?.parse().ok()?),
    })
}

/// Reads call records over a connection of its own.
pub(super) struct RecordReader {
    path: PathBuf,
    connection: Connection,
}

impl RecordReader {
    pub(super) fn open(path: &Path) -> std::result::Result<RecordReader, StoreError> {
        Ok(RecordReader { path: path.to_owned(), connection: file::open_to_read(path)? })
    }

    fn read(&self, query: &Query) -> Result<Vec<Option<CallRecord>>> {
        let sql = "SELECT * FROM record WHERE started_ms >= ?1 AND started_ms < ?2 AND (?3 IS NULL OR ?3 IN (caller, callee) \
                   OR substr(caller, 1, length(?3) + 1) = ?3 || '@' OR substr(callee, 1, length(?3) + 1) = ?3 || '@') \
                   ORDER BY started_ms DESC, number DESC LIMIT ?4";
        let limit_max = if query.limit_max == 0 { RECORDS_PER_QUERY_MAX } else { query.limit_max };
        let rows = params![
            query.since.map_or(0, to_ms),
            query.until.map_or(i64::MAX, to_ms),
            query.user,
            limit_max.min(RECORDS_PER_QUERY_MAX) as i64
        ];
        self.connection.prepare_cached(sql)?.query_map(rows, |row| Ok(record(row)))?.collect()
    }
}

impl Reader for RecordReader {
    fn records(&mut self, query: &Query) -> std::result::Result<Vec<CallRecord>, StoreError> {
        let records = self.read(query).map_err(|error| file::explain("reading", &self.path, error))?;
        let damaged =
            || StoreError::Damaged { path: self.path.clone(), what: "a call record is not as it was written".into() };
        records.into_iter().collect::<Option<_>>().ok_or_else(damaged)
    }
}

fn record(row: &Row<'_>) -> Option<CallRecord> {
    let text = |name| row.get::<_, String>(name).ok();
    let ms = |name| row.get(name).ok().map(from_ms);
    Some(CallRecord {
        id: text("id")?.parse().ok()?,
        call_id: text("call_id")?,
        from: text("caller_uri")?,
        to: text("callee_uri")?,
        caller: row.get("caller").ok()?,
        callee: row.get("callee").ok()?,
        source: text("source")?.parse().ok()?,
        started: ms("started_ms")?,
        answered: row.get::<_, Option<i64>>("answered_ms").ok()?.map(from_ms),
        ended: ms("ended_ms")?,
        end: end_from_text(&text("ended_by")?)?,
        status: row.get("status").ok()?,
        how: text("how")?,
    })
}
