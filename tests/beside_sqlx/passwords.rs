//! Row 15: a password in what is printed.

each_server! {
    use crate::beside_sqlx::{MENDED, Who, show};
    use std::fmt::{Debug, Write as _};
    use support::logs;

    type Options = <Connection as sqlx::Connection>::Options;

    /// Row 15 of the design's table. SQLite has no passwords.
    #[tokio::test]
    async fn a_password_is_in_no_debug() {
        let place = Place::new().await;
        let (user, password) = place.user().await;
        let (_, host) = place.url.split_once('@').unwrap();
        let options: Options = format!("{NAME}://{user}:{password}@{host}").parse().unwrap();

        let plain = format!("{options:?}").matches(&password).count();
        show(15, NAME, Who::Sqlx, format_args!("the password is {plain} time(s) in the Debug of its options"));
        assert!(plain > 0, "{MENDED}");

        let (logs, _guard) = logs::capture();
        let mut shown = String::new();
        let mut debug = |what: &dyn Debug| writeln!(shown, "{what:?}\n{what:#?}").unwrap();
        let builder = Pool::builder().primary_with(options).max_connections(2);
        debug(&builder);
        let pool = builder.connect().await.unwrap();
        let lease = pool.acquire().await.unwrap();
        let mut session = pool.begin().await.unwrap();
        let refused = sqlx::query("SELECT * FROM nowhere").execute(&mut session).await.unwrap_err();
        debug(&(&pool, pool.stats(), pool.sessions()));
        debug(&(&lease, &session, pool.operation("beside::passwords")));
        debug(&steadfast::Error::from(refused));
        pool.release(lease).await.unwrap();
        session.rollback().await.unwrap();
        debug(&pool.close().await);
        let (shown, logged) = (shown.matches(&password).count(), logs.text().matches(&password).count());
        assert!(logs.text().contains("steadfast"), "something was logged");
        show(15, NAME, Who::Steadfast, format_args!("{shown} times in every Debug around a call, {logged} times in its log"));
        assert_eq!((shown, logged), (0, 0));
    }
}
