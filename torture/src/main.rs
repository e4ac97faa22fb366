//! The campaigns of `cargo xtask torture`: real servers, real faults, and a look at what is left through a direct
//! connection. Each fails where its faults have not fired, catches bugs that are planted, and can be run again from its
//! seed.

#![allow(
    clippy::large_futures,
    reason = "a campaign holds calls of every kind, and few of them at once"
)]

#[macro_use]
extern crate steadfast_tests;

mod arguments;
mod backends;
mod bank;
mod campaign;
mod cancel;
mod child;
mod commit;
mod course;
mod door;
mod figures;
mod hang;
mod heir;
mod history;
mod leak;
mod panic;
mod poison;
mod private;
mod report;
mod settings;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use steadfast::__private::plant;
use tokio::signal::unix::{SignalKind, signal};

use arguments::Arguments;
use campaign::Campaign;
use report::Verdict;
use settings::Settings;

/// How long tasks may take to go, once nobody waits for what they do.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    if let Some(code) = child::played() {
        return code;
    }
    let arguments = Arguments::parse();
    let settings = match arguments.settings() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    if arguments.check {
        for database in &settings.databases {
            println!("{database}");
        }
        return ExitCode::SUCCESS;
    }
    if let Err(error) = settings.find_servers() {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    if let Some(bug) = arguments.plant {
        println!("planted: {}", bug.name());
        plant(bug);
    }
    println!("seed {}", settings.seed);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::from(2);
        }
    };
    let campaigns = arguments.campaigns();
    let branch = arguments.branch.clone();
    let code = runtime.block_on(async {
        let work = async {
            match branch {
                Some(branch) => branch.run(&settings).await,
                None => run(&campaigns, &settings).await,
            }
        };
        tokio::select! {
            verdict = work => Ok(code_of(verdict)),
            asked = asked_to_end() => asked,
        }
    });
    // What the campaigns have made goes with their tasks: files, folders, servers.
    runtime.shutdown_timeout(PATIENCE);
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: no signals: {error}");
            ExitCode::from(2)
        }
    }
}

/// One after the other; the worst of what came of them.
async fn run(campaigns: &[&Campaign], settings: &Settings) -> Verdict {
    let mut worst = Verdict::Holds;
    for campaign in campaigns {
        worst = worst.max(campaign.run(settings).await);
    }
    worst
}

fn code_of(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Holds => 0,
        Verdict::Violated => 1,
        Verdict::NotRun => 2,
    }
}

/// The exit code of a process that a signal has ended, once one comes.
async fn asked_to_end() -> io::Result<u8> {
    let mut terminate = signal(SignalKind::terminate())?;
    let kind = tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| SignalKind::interrupt())?,
        _ = terminate.recv() => SignalKind::terminate(),
    };
    Ok(u8::try_from(128 + kind.as_raw_value()).unwrap_or(u8::MAX))
}
