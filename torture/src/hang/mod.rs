//! Servers that fall silent: whoever waits is back in time, and so is what he holds.

mod incident;
mod lag;
mod locks;
mod phase;
mod servers;

use crate::campaign::Campaign;

pub(crate) use locks::hold;

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "hang",
    databases: &[servers::PARTS[0], servers::PARTS[1], locks::PART],
};
