//! The doors without attributes: managed closures, leases by hand, pools made of sqlx's.

mod closures;
mod contradictions;
mod costs;
mod from_sqlx;
mod leases;
pub(crate) mod leftovers;
mod migrated;
mod resized;
mod retried;
mod send;
