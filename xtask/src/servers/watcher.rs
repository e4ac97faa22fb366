//! A process that outlives this one by a moment, to end the server and remove its folder.
//!
//! It reads the server's process id from a pipe and waits for the pipe to close, which the kernel does for us
//! however this process ends.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

// $1: the folder. $2: the signal that ends the server at once, together with its children. What fills the data folder
// at first is no server and has its children in its group. A process is touched only if its command line names the
// folder, so that a reused id hits nobody else.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
pid=0
while read -r line; do pid=$line; done
if [ "$pid" -gt 0 ] && kill -0 "$pid" && { [ ! -e /proc/self ] || grep -q -F -e "$1" "/proc/$pid/cmdline"; }; then
    children=$(cat "/proc/$pid/task/$pid/children" || pgrep -P "$pid")
    kill -CONT "$pid" $children
    kill "-$2" "$pid"
    tries=0
    while kill -0 "$pid" && [ "$tries" -lt 40 ]; do sleep 0.05; tries=$((tries + 1)); done
    kill -KILL "$pid" $children
    kill -KILL -- "-$pid"
fi
if [ -e "$1/data/postmaster.pid" ]; then
    segment=$(sed -n '7s/.* //p' "$1/data/postmaster.pid")
    [ -z "$segment" ] || ipcrm -m "$segment"
fi
tries=0
until rm -rf "$1" || [ "$tries" -ge 20 ]; do sleep 0.2; tries=$((tries + 1)); done
"#;

/// Ends when the pipe to it closes, and then leaves neither server nor folder.
#[derive(Debug)]
pub(super) struct Watcher {
    process: Child,
    pipe: Option<ChildStdin>,
}

impl Watcher {
    pub(super) fn start(folder: &Path, signal: &str) -> io::Result<Self> {
        let mut process = Command::new("/bin/sh")
            .arg("-c")
            .arg(SCRIPT)
            .arg("watcher")
            .arg(folder)
            .arg(signal)
            .current_dir("/")
            // Out of reach of Ctrl-C, which goes to the whole group of the terminal.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pipe = process.stdin.take();
        Ok(Self { process, pipe })
    }

    /// From now on `pid` is the server.
    pub(super) fn watch(&mut self, pid: u32) -> io::Result<()> {
        self.pipe
            .as_mut()
            .map_or(Ok(()), |pipe| writeln!(pipe, "{pid}"))
    }

    /// The server is gone and was waited for: its id may belong to somebody else by now.
    pub(super) fn forget(&mut self) {
        // A watcher that is gone itself has nothing to forget.
        let _ = self.watch(0);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.process.wait();
    }
}
