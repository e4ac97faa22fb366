use clap::Parser;

/// Moves money between 100 accounts with many tasks while calls are dropped, panic and fail, and then asks the
/// database whether anything went wrong.
#[derive(Clone, Debug, Parser)]
#[command(max_term_width = 100)]
pub struct Args {
    /// Where the bank is: `postgres://…`, `mysql://…` or `sqlite://…`.
    ///
    /// The tables `bank_accounts`, `bank_transfers`, `bank_memos` and `bank_incidents` are made anew there.
    /// Without it: SQLite in a temporary file.
    #[arg(long)]
    pub url: Option<String>,

    /// How many transfers are asked for.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub transfers: u64,

    /// How many tasks ask for them at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub tasks: u32,

    /// What the orders and the chaos are drawn from; printed, so that a run can be repeated.
    #[arg(long)]
    pub seed: Option<u64>,

    /// In how many calls out of a hundred something is done to them: dropped, made to panic, made to fail, or robbed
    /// of a nested call half-way. A call that ends before that hands it on to another that nothing is planned for, so
    /// above 50 not all of it comes about.
    #[arg(long, value_name = "PERCENT", default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub chaos: u8,
}

impl Args {
    /// The options given on the command line; a seed is drawn where none was given.
    #[must_use]
    pub fn read() -> Self {
        let mut args = Self::parse();
        args.seed.get_or_insert_with(|| fastrand::u64(0..1_000_000));
        args
    }

    /// The seed of this run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or_default()
    }
}
