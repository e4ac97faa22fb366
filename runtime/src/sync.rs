//! What calls share is made of these. A seam: `torture/tests/loom` puts others in their place, and goes through every
//! order in which threads may come to them.

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};
pub(crate) use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
