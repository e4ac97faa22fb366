//! The doors without attributes: managed closures, leases by hand, pools made of sqlx's.

mod closures;
mod contradictions;
mod retried;
mod send;
