//! What the server promises when Postgres, Redis or the network fails, or when there is more work than it can do: the program
//! itself as a process, beside a Postgres and a Redis of the test's own that are stopped, killed, filled up and replaced, and
//! with a proxy between them that cuts, delays and swallows.
//!
//! Short by default. `OSTIARY_TEST_LENGTH=full` (scripts/faults) runs what lasts as long as docs/reliability.md says.

mod ledger;
mod load;
mod load_clients;
mod load_http2;
mod postgres;
mod postgres_failover;
mod postgres_limits;
mod proxy;
mod redis;
mod redis_failover;
mod redis_kept;
mod site;
mod soak;
