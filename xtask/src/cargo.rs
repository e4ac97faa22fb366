//! Calls of cargo.

use std::env;
use std::path::{Path, PathBuf};

use tokio::process::Command;

/// The cargo that runs this, in the workspace's root.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    // Set by `cargo run`; what was compiled in may be a folder that has moved since.
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package
        .parent()
        .map_or_else(|| package.clone(), Path::to_path_buf)
}
