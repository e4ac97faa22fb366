//! What errors are provoked with and looked at. A macro, because the type of a place names its database.

/// To be used inside `each_database!`.
macro_rules! helpers {
    () => {
        /// A value that no message to a user, and no log of ours, may show.
        #[allow(dead_code)]
        const SECRET: &str = "secret-4711";

        #[allow(dead_code)]
        async fn schema(place: &Place) {
            sqlx::raw_sql(
                "CREATE TABLE parents (id BIGINT PRIMARY KEY);
                 CREATE TABLE children (
                     id BIGINT PRIMARY KEY,
                     parent BIGINT,
                     tag VARCHAR(20) NOT NULL,
                     CONSTRAINT children_parent_fkey FOREIGN KEY (parent) REFERENCES parents (id),
                     CONSTRAINT children_small CHECK (id < 1000),
                     CONSTRAINT children_tag_key UNIQUE (tag)
                 );
                 INSERT INTO parents VALUES (1);
                 INSERT INTO children VALUES (1, 1, 'secret-4711');",
            )
            .execute(&place.plain)
            .await
            .unwrap();
        }

        /// One value for each database.
        #[allow(dead_code)]
        fn on<T>(postgres: T, mysql: T, sqlite: T) -> T {
            match NAME {
                "postgres" => postgres,
                "mysql" => mysql,
                _ => sqlite,
            }
        }

        #[allow(dead_code)]
        fn is_fit_for_users(error: &Error) {
            let message = error.user_message();
            for word in [SECRET, "children", "parents", "SELECT", "INSERT", "constraint", "_key"] {
                assert!(!message.contains(word), "{message}");
            }
        }
    };
}
