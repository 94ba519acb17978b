//! A mark beside the file, while the log beside it (WAL) may hold what the file does not: without it, a log that is gone would be a log that
//! there never was, and everything in it silently missing.

use super::file::{beside, sync_folder};
use crate::StoreError;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of a log's header (sqlite.org/fileformat2.html section 4.1).
const WAL_HEADER_BYTES: usize = 32;

pub(super) struct Mark {
    path: PathBuf,
    made: bool,
}

impl Mark {
    /// The mark of the file at `path`, before that is opened. Refused is a marked file whose log has gone.
    pub(super) fn find(path: &Path) -> Result<Mark, StoreError> {
        let mark = beside(path, "-open");
        let made = mark.exists();
        if made && !is_log(&beside(path, "-wal")).map_err(StoreError::io("reading", path))? {
            let what = format!(
                "the log of its latest changes (..-wal) is missing or has lost its beginning. If another program has opened the file \
                 since, they are in it; then, or to go on without them, remove {}",
                mark.display()
            );
            return Err(StoreError::Damaged { path: path.to_owned(), what });
        }
        Ok(Mark { path: mark, made })
    }

    /// Something was committed, and is in the log.
    pub(super) fn make(&mut self) -> io::Result<()> {
        if !self.made {
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path)?.sync_all()?;
            sync_folder(&self.path)?;
            self.made = true;
        }
        Ok(())
    }

    /// All that is in the log is in the file.
    pub(super) fn remove(&mut self) {
        // One that stays is found again, with the log beside it or with clear words.
        let _ = fs::remove_file(&self.path).and_then(|()| sync_folder(&self.path));
        self.made = false;
    }
}

/// Whether a log begins as one does: its magic number, and the checksum over its first 24 bytes.
fn is_log(path: &Path) -> io::Result<bool> {
    let mut header = [0; WAL_HEADER_BYTES];
    match fs::File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    let words = |big: bool| {
        let (words, _) = header.as_chunks::<4>();
        words.iter().map(|word| if big { u32::from_be_bytes(*word) } else { u32::from_le_bytes(*word) }).collect()
    };
    let as_written: Vec<u32> = words(true);
    let summed: Vec<u32> = match as_written[0] {
        0x377f_0682 => words(false),
        0x377f_0683 => words(true),
        _ => return Ok(false),
    };
    let (mut one, mut two) = (0u32, 0u32);
    for pair in summed[..6].chunks(2) {
        one = one.wrapping_add(pair[0]).wrapping_add(two);
        two = two.wrapping_add(pair[1]).wrapping_add(one);
    }
    Ok(as_written[6..] == [one, two])
}
