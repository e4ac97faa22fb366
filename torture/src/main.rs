//! The campaigns of `cargo xtask torture`: real servers, real faults, and a look at what is left through a direct
//! connection. `DESIGN` calls a campaign honest if its faults have fired, if it catches a planted bug, and if it can be
//! run again from its seed.

#[macro_use]
extern crate steadfast_tests;

mod arguments;
mod campaign;
mod cancel;
mod leak;
mod report;
mod settings;

use std::process::ExitCode;

use clap::Parser as _;
use steadfast::__private::plant;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = match arguments.settings() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let campaigns = arguments.campaigns();
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
    let mut is_clean = true;
    for campaign in campaigns {
        is_clean &= runtime.block_on(campaign.run(&settings));
    }
    ExitCode::from(u8::from(!is_clean))
}
