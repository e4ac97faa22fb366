//! Processes of this program beside the one that attacks: they are killed, or hold what others want.

use std::io::Read as _;
use std::process::{Command, ExitCode, Stdio};

/// What such a process does. It ends with its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// It commits to a SQLite file, one transaction after the other, and says so.
    Commits,
    /// It holds a lock of a SQLite file.
    Holds,
}

const FLAG: &str = "--child";

impl Part {
    const ALL: [Self; 2] = [Self::Commits, Self::Holds];

    fn name(self) -> &'static str {
        match self {
            Self::Commits => "commits",
            Self::Holds => "holds",
        }
    }

    /// A process that plays this part, and says on its standard output what it does.
    pub(crate) fn command(self, arguments: &[&str]) -> Command {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command
            .args([FLAG, self.name()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    /// Plays it to its end.
    fn play(self, arguments: &[String]) {
        // A parent that is gone, however it went, has closed this.
        std::thread::spawn(|| {
            let _ = std::io::stdin().read(&mut [0]);
            std::process::exit(0);
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        match self {
            Self::Commits => runtime.block_on(crate::commit::commit(arguments)),
            Self::Holds => runtime.block_on(crate::hang::hold(arguments)),
        }
    }
}

/// Whether this process is such a one; then it has played its part when this answers.
pub(crate) fn played() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next()? != FLAG {
        return None;
    }
    let name = arguments.next()?;
    let part = Part::ALL.into_iter().find(|part| part.name() == name)?;
    let arguments: Vec<String> = arguments.collect();
    part.play(&arguments);
    Some(ExitCode::SUCCESS)
}
