#![deny(unused_must_use)]

use steadfast::PgSessionPool;

fn transfer(pool: &PgSessionPool) {
    pool.operation("bank::transfer").read_only();
}

fn main() {}
