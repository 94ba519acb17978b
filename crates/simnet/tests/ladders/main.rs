//! What an exchange does, told as ladders; each runs with 1, 2 and 4 shards.

mod admission;
mod calls;
mod cancelling;
mod doors;
mod forking;
mod forwards;
mod identities;
mod phones;
mod registration;
mod restarts;
mod roles;
mod routing;
mod rules;
mod streams;
mod tolls;
mod watching;
