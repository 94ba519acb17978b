//! Calls as their watcher sees them, written as ladders (`world.rs` says how).

mod dialogs;
mod endings;
mod hanging_up;
mod limits;
mod nonsense;
mod records;
mod routes;
mod states;
mod world;
