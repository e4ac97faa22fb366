//! Servers that fall silent: whoever waits is back in time, and so is what he holds.

mod calls;
mod fault;
mod incident;
mod lock;
mod locks;
mod phase;
mod run;
mod servers;
mod silence;

use crate::campaign::Campaign;

pub(crate) use lock::hold;

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "hang",
    databases: &[servers::PARTS[0], servers::PARTS[1], locks::PART],
};
