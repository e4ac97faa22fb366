//! Processes and signals: only those of servers that this process started.

use std::fs;
use std::io;
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const STEP: Duration = Duration::from_millis(2);

/// Sends `signal` to `pid`; one that is gone already is no mistake.
pub(super) fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Err(io::Error::other(format!("{pid} is not a process id")));
    };
    match kill_process(pid, signal) {
        Err(rustix::io::Errno::SRCH) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The direct children of `pid`.
pub(super) fn children(pid: u32) -> Vec<u32> {
    match fs::read_dir("/proc") {
        Ok(entries) => entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|&child| stat(child).is_some_and(|(_, parent)| parent == pid))
            .collect(),
        Err(_) => listed(pid),
    }
}

fn listed(pid: u32) -> Vec<u32> {
    let Ok(output) = std::process::Command::new("ps")
        .args(["-A", "-o", "pid=,ppid="])
        .output()
    else {
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse::<u32>);
            let (child, parent) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
            (parent == pid).then_some(child)
        })
        .collect()
}

/// State letter and parent of a process, where the system has `/proc`.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may itself hold spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Stops `pid` and its children; when it returns the server makes no new ones, and all of them are listed.
pub(super) fn freeze(pid: u32) -> io::Result<Vec<u32>> {
    signal(pid, Signal::STOP)?;
    until(Duration::from_secs(1), || {
        stat(pid).is_none_or(|(state, _)| matches!(state, 'T' | 't' | 'Z' | 'X'))
    });
    let children = children(pid);
    for &child in &children {
        signal(child, Signal::STOP)?;
    }
    Ok(children)
}

/// Lets `pid` and its children run again.
pub(super) fn thaw(pid: u32) -> io::Result<()> {
    for child in children(pid) {
        signal(child, Signal::CONT)?;
    }
    signal(pid, Signal::CONT)
}

/// `kill -9` of the server and all its children at one moment: none of them sees another one die.
pub(super) fn crash(server: &mut Child) -> io::Result<()> {
    let pid = server.id();
    if server.try_wait()?.is_some() {
        return Ok(());
    }
    let children = freeze(pid)?;
    signal(pid, Signal::KILL)?;
    for &child in &children {
        signal(child, Signal::KILL)?;
    }
    server.wait()?;
    // A zombie that nobody reaps holds neither memory nor files.
    let gone = until(Duration::from_secs(10), || {
        children
            .iter()
            .all(|&child| stat(child).is_none_or(|(state, _)| matches!(state, 'Z' | 'X')))
    });
    if gone {
        Ok(())
    } else {
        Err(io::Error::other(
            "children of a killed server are still there after 10 s",
        ))
    }
}

/// Waits for the end of `server`, at most for `limit`.
pub(super) fn wait(server: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = server.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        sleep(STEP);
    }
}

fn until(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= end {
            return false;
        }
        sleep(STEP);
    }
    true
}
