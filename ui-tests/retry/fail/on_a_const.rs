use steadfast::retry;

#[retry]
const ATTEMPTS: u32 = 5;

fn main() {}
