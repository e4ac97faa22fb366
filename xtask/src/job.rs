//! A command that runs while this process waits for it, and ends when this one is asked to.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::signals::{Asked, Signals, code};

// From one step to the next: asked by the terminal, SIGTERM, SIGKILL.
const PATIENCE: Duration = Duration::from_secs(10);
// What is left in the pipe after the command's end. A process that it left behind may hold the pipe open for ever.
const REST: Duration = Duration::from_secs(2);

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: u8,
    /// This process was asked to end meanwhile.
    pub(crate) asked: Option<Asked>,
}

/// Runs `command` to its end. Its output goes where this process's goes; where it is piped, `seen` gets it bit by bit.
pub(crate) async fn run(
    command: &mut Command,
    signals: &mut Signals,
    mut seen: impl FnMut(&[u8]),
) -> io::Result<Ended> {
    let mut child = command.spawn().map_err(|error| {
        io::Error::new(
            error.kind(),
            format!(
                "`{}` cannot be run: {error}",
                command.as_std().get_program().display()
            ),
        )
    })?;
    let mut output = child.stdout.take();
    let mut asked = None;
    let mut step: Option<(Instant, Signal)> = None;
    let mut buffer = vec![0; 16 * 1024];
    let status = loop {
        tokio::select! {
            // What was written before the end is read before the end is seen.
            biased;
            read = read(&mut output, &mut buffer) => match read {
                0 => output = None,
                length => seen(&buffer[..length]),
            },
            status = child.wait() => break status?,
            signal = signals.next() => {
                step = Some(match (asked, signal.is_from_terminal()) {
                    // The command got it as well; a second one would make many programs drop everything.
                    (None, true) => (Instant::now() + PATIENCE, Signal::TERM),
                    (None, false) => { send(&child, Signal::TERM); (Instant::now() + PATIENCE, Signal::KILL) }
                    (Some(_), _) => { send(&child, Signal::TERM); (Instant::now() + PATIENCE / 5, Signal::KILL) }
                });
                asked = asked.or(Some(signal));
            }
            signal = due(step) => {
                send(&child, signal);
                step = Some((Instant::now() + PATIENCE, Signal::KILL));
            }
        }
    };
    let end = Instant::now() + REST;
    while output.is_some() {
        match timeout_at(end, read(&mut output, &mut buffer)).await {
            Ok(length @ 1..) => seen(&buffer[..length]),
            Ok(0) | Err(_) => output = None,
        }
    }
    Ok(Ended {
        code: exit_code(status),
        asked,
    })
}

async fn read(output: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    match output {
        // A pipe that cannot be read has nothing more to say.
        Some(output) => output.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

async fn due(step: Option<(Instant, Signal)>) -> Signal {
    match step {
        Some((at, signal)) => {
            sleep_until(at).await;
            signal
        }
        None => std::future::pending().await,
    }
}

fn send(child: &Child, signal: Signal) {
    if let Some(pid) = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw)
    {
        // It may have ended a moment ago.
        let _ = kill_process(pid, signal);
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(number), _) => u8::try_from(number).unwrap_or(u8::MAX),
        (None, Some(signal)) => code(signal),
        (None, None) => u8::MAX,
    }
}
