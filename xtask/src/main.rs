//! The commands of this repository: `cargo xtask --help`.

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::database::Database;

use signals::Signals;

mod cargo;
mod coverage;
mod examples;
mod job;
mod matrix;
mod running;
mod setup;
mod signals;
mod tally;
mod test;
mod torture;
mod with_servers;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Tests and chores of steadfast",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts private servers, runs every test, ends with the line `N passed, N failed`
    Test {
        /// Leaves the other databases out
        #[arg(long, value_delimiter = ',', value_name = "DATABASES")]
        only: Vec<Database>,
        /// Goes to the test binaries: names to filter by, `--nocapture`, …
        #[arg(last = true, value_name = "FILTERS")]
        filters: Vec<String>,
    },
    /// Runs a command with `TEST_POSTGRES_URL` and `TEST_MYSQL_URL` set to private servers, and exits with its code
    WithServers {
        /// Starts the servers of these databases only
        #[arg(long, value_delimiter = ',', value_name = "DATABASES")]
        only: Vec<Database>,
        /// The command and its arguments
        #[arg(
            required = true,
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "COMMAND"
        )]
        command: Vec<std::ffi::OsString>,
    },
    /// Attacks steadfast with faults on private servers: `cargo xtask torture --help`
    #[command(disable_help_flag = true)]
    Torture {
        /// A campaign or `all`, and its options
        #[arg(
            required = true,
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "NAME"
        )]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Counts the lines of `runtime` that the tests run, and fails below 90 %; needs cargo-tarpaulin
    Coverage,
    /// Checks steadfast with each database alone, each with every other feature, all together, and none
    Matrix,
    /// Runs every example, the large ones in a small size, on each database
    Examples,
    /// Finds or installs what the other commands need
    Setup,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let code = match Signals::listen() {
        Ok(signals) => run(arguments.command, signals).await,
        Err(error) => Err(error),
    };
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command, signals: Signals) -> io::Result<u8> {
    match command {
        Command::Test { only, filters } => test::run(&only, &filters, signals).await,
        Command::WithServers { only, command } => with_servers::run(&only, &command, signals).await,
        Command::Torture { arguments } => torture::run(&arguments, signals).await,
        Command::Coverage => coverage::run(signals).await,
        Command::Matrix => matrix::run(signals).await,
        Command::Examples => examples::run(signals).await,
        Command::Setup => setup::run(signals).await,
    }
}
