use std::fmt;
use std::str::FromStr;

/// The name that an operator types for a call: the shard that has it and a number, `0.17`. It stays with the call and is not used
/// again while the exchange runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The shard.
    pub shard: u16,
    /// Which of its calls, from 1.
    pub number: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.shard, self.number)
    }
}

impl FromStr for Id {
    type Err = ();
    fn from_str(text: &str) -> Result<Id, ()> {
        let (shard, number) = text.split_once('.').ok_or(())?;
        Ok(Id { shard: shard.parse().map_err(|_| ())?, number: number.parse().map_err(|_| ())? })
    }
}
