mod full;
mod log;
mod torn;

use super::Sqlite;
use crate::testing::{Scratch, options};
use crate::{Store, StoreError};
use engine::Rng;

/// So little log that parts are written all the time.
const LOG_BYTES_MIN: u64 = 3_000;

fn open(scratch: &Scratch) -> Result<Store, StoreError> {
    let backend = Sqlite::open_with(&scratch.path.join("ringback.db"), LOG_BYTES_MIN)?;
    Store::over(Box::new(backend), options(), &mut Rng::from_u64(1))
}
