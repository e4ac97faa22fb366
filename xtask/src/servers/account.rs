//! The user as whom a server runs: servers refuse to run as root.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A user other than root, by number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The first of `names` that exists, where this process is root; `None` where it is an ordinary user and runs the
    /// server as itself.
    pub(super) fn choose(names: &[&str]) -> io::Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        names.iter().find_map(|name| Self::named(name)).map(Some).ok_or_else(|| {
            io::Error::other(format!(
                "a server must not run as root, and none of the users {} exists: create one of them",
                names.join(", ")
            ))
        })
    }

    fn named(name: &str) -> Option<Self> {
        let number = |flag: &str| -> Option<u32> {
            let output = Command::new("id").args([flag, name]).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        Some(Self {
            uid: number("-u")?,
            gid: number("-g")?,
        })
    }

    pub(super) fn apply(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}
