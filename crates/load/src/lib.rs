//! The load generator: many calls or registrations from one thread
