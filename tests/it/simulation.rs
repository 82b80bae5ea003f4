//! Several nodes inside one process: over one store and one place for what may vanish, on a clock that stands until it is
//! moved. At most one of them does something at a time; each stands still after every statement it has read by, and after each
//! commit, until it is let on. So what happens between two nodes is what a test decides, and is the same in every run.
//!
//! `memory` and `once` go through every order of a few acts; `cluster` and `sign_in` walk at random, by a seed.

mod cluster;
mod conductor;
mod memory;
mod model;
mod nodes;
mod once;
mod orders;
mod sign_in;
mod sign_in_browser;
mod sign_in_model;
mod sign_in_pages;
