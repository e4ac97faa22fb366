//! Real answers of `SQLite`.

use sqlx::{Connection, Executor, SqliteConnection};

use super::super::*;
use super::{Boxed, StdError, Transparent};

const SCHEMA: &str = "
    PRAGMA foreign_keys = ON;
    CREATE TABLE tenants (id INTEGER PRIMARY KEY);
    CREATE TABLE users (
        email TEXT NOT NULL UNIQUE,
        tenant INTEGER REFERENCES tenants (id),
        cents INTEGER CONSTRAINT cents_positive CHECK (cents >= 0),
        nick TEXT,
        UNIQUE (tenant, nick)
    );
    INSERT INTO tenants VALUES (1);
    INSERT INTO users VALUES ('a@b.c', 1, 0, 'a');";

fn provoked(statement: &'static str) -> sqlx::Error {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect("sqlite::memory:")
            .await
            .expect("a database");
        connection.execute(SCHEMA).await.expect("the schema");
        let error = connection
            .execute(statement)
            .await
            .expect_err("a refused statement");
        connection.close().await.expect("a closed connection");
        error
    })
}

#[test]
fn constraints_are_told_apart_and_named() {
    let unique = Error::from(provoked("INSERT INTO users VALUES ('a@b.c', 1, 0, 'b')"));
    assert_eq!(unique.category(), Category::Integrity(Integrity::Unique));
    assert_eq!(unique.code(), Some("2067"));
    assert_eq!(
        (unique.table(), unique.column()),
        (Some("users"), Some("email"))
    );
    let fault = unique.fault().expect("a fault");
    assert!(fault.matches(Kind::Unique, Some("users.email")));
    assert!(fault.matches(Kind::Integrity, None));
    assert!(!fault.matches(Kind::Unique, Some("users.tenant")));
    assert!(!fault.matches(Kind::Check, None));

    let both = provoked("INSERT INTO users VALUES ('b@b.c', 1, 0, 'a')");
    assert!(Fault::of_driver(&both).matches(Kind::Unique, Some("users.tenant, users.nick")));

    let check = Error::from(provoked("INSERT INTO users VALUES ('b@b.c', 1, -1, 'b')"));
    assert_eq!(check.category(), Category::Integrity(Integrity::Check));
    assert_eq!(check.constraint(), Some("cents_positive"));

    let null = Error::from(provoked("INSERT INTO users VALUES (NULL, 1, 0, 'b')"));
    assert_eq!(null.category(), Category::Integrity(Integrity::NotNull));
    assert_eq!(
        (null.table(), null.column()),
        (Some("users"), Some("email"))
    );

    let foreign = Error::from(provoked("INSERT INTO users VALUES ('b@b.c', 2, 0, 'b')"));
    assert_eq!(
        foreign.category(),
        Category::Integrity(Integrity::ForeignKey)
    );

    let missing = Error::from(provoked("INSERT INTO nowhere VALUES (1)"));
    assert_eq!(missing.category(), Category::Programming);
}

#[test]
fn an_answer_is_found_behind_a_transparent_wrapper_of_the_drivers_error() {
    let statement = "INSERT INTO users VALUES ('a@b.c', 1, 0, 'b')";
    let wrapped: Boxed = Transparent::Driver(provoked(statement)).into();
    assert!(
        wrapped
            .fault()
            .is_some_and(|fault| fault.matches(Kind::Unique, Some("users.email")))
    );

    let Ok(answer) = provoked(statement)
        .into_database_error()
        .expect("an answer")
        .try_downcast::<sqlx::sqlite::SqliteError>()
    else {
        panic!("the driver's own type");
    };
    let bare: Boxed = answer;
    assert_eq!(
        bare.category(),
        Some(Category::Integrity(Integrity::Unique))
    );
}

#[test]
fn neither_users_nor_debug_see_values() {
    let error = Error::from(provoked("INSERT INTO users VALUES ('a@b.c', 1, 0, 'b')"));
    assert_eq!(error.user_message(), "This already exists.");
    for said in [
        format!("{error}"),
        format!("{error:?}"),
        error.source().expect("the node").to_string(),
    ] {
        assert!(!said.contains("a@b.c"), "{said}");
    }
    assert_eq!(
        error.to_string(),
        "unique constraint violated: UNIQUE constraint failed: users.email (2067); \
         translate it with an arm of `#[db_error_handling]`, or mend the values"
    );
}
