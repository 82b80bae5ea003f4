//! Several processes on one Postgres and one Redis: nobody is kept at a node, and what one learns all know.

mod rotation;
