//! What an exchange does, told as ladders; each runs with 1, 2 and 4 shards.

mod admission;
mod calls;
mod cancelling;
mod forking;
mod phones;
mod registration;
mod routing;
mod streams;
