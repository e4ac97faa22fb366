//! Finds the installed programs, or installs them.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs of one kind of server.
#[derive(Debug)]
pub struct Programs(Vec<(&'static str, PathBuf)>);

/// What to look for, where, and how to get it.
pub(super) struct Need {
    /// Each program by its name of today, then older ones.
    programs: &'static [&'static [&'static str]],
    /// Folders besides `PATH`; `*` stands for a version.
    folders: &'static [&'static str],
    package: &'static str,
    elsewhere: &'static str,
}

impl Need {
    pub(super) const POSTGRES: Self = Self {
        programs: &[&["postgres"], &["initdb"]],
        folders: &[
            "/usr/lib/postgresql/*/bin",
            "/usr/pgsql-*/bin",
            "/usr/local/bin",
            "/usr/local/pgsql/bin",
            "/opt/homebrew/opt/postgresql@*/bin",
            "/usr/local/opt/postgresql@*/bin",
        ],
        package: "postgresql",
        elsewhere: "PostgreSQL 14 or newer (`postgres` and `initdb`)",
    };

    pub(super) const MARIADB: Self = Self {
        programs: &[
            &["mariadbd", "mysqld"],
            &["mariadb-install-db", "mysql_install_db"],
        ],
        folders: &[
            "/usr/sbin",
            "/usr/bin",
            "/usr/libexec",
            "/usr/local/bin",
            "/usr/local/sbin",
            "/opt/homebrew/bin",
        ],
        package: "mariadb-server",
        elsewhere: "MariaDB 10.6 or newer (`mariadbd` and `mariadb-install-db`)",
    };

    pub(super) const OPENSSL: Self = Self {
        programs: &[&["openssl"]],
        folders: &["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"],
        package: "openssl",
        elsewhere: "the program `openssl`",
    };

    fn search(&self) -> Option<Programs> {
        let on_path: Vec<PathBuf> = env::var_os("PATH")
            .iter()
            .flat_map(env::split_paths)
            .collect();
        self.search_in(&on_path)
    }

    fn search_in(&self, on_path: &[PathBuf]) -> Option<Programs> {
        let folders: Vec<PathBuf> = on_path
            .iter()
            .cloned()
            .chain(self.folders.iter().flat_map(|pattern| versions(pattern)))
            .collect();
        // All from one folder if possible: an `initdb` of another version makes data that the server refuses.
        let together = folders
            .iter()
            .find_map(|folder| self.all_in(std::slice::from_ref(folder)));
        together.or_else(|| self.all_in(&folders)).map(Programs)
    }

    fn all_in(&self, folders: &[PathBuf]) -> Option<Vec<(&'static str, PathBuf)>> {
        self.programs
            .iter()
            .map(|names| {
                let paths = folders
                    .iter()
                    .flat_map(|folder| names.iter().map(move |name| folder.join(name)));
                Some((names[0], paths.into_iter().find(|path| is_program(path))?))
            })
            .collect()
    }
}

impl Programs {
    pub(super) fn find(need: &Need) -> io::Result<Self> {
        if let Some(found) = need.search() {
            return Ok(found);
        }
        install(&[need.package], need.elsewhere)?;
        need.search().ok_or_else(|| {
            io::Error::other(format!(
                "{} is still not found after `{}` was installed",
                need.elsewhere, need.package
            ))
        })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        let found = self.0.iter().find(|(program, _)| *program == name);
        found.map_or_else(|| PathBuf::from(name), |(_, path)| path.clone())
    }
}

/// Makes sure that the OpenSSL headers are there, which the feature `tls-native` needs on Linux.
///
/// # Errors
///
/// Headers that are missing and cannot be installed; the message says what to install.
pub fn install_openssl() -> io::Result<()> {
    let found = || {
        let mut check = Command::new("pkg-config");
        check
            .args(["--exists", "openssl"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        check.status().is_ok_and(|status| status.success())
    };
    if !cfg!(target_os = "linux") || found() || env::var_os("OPENSSL_DIR").is_some() {
        return Ok(());
    }
    install(
        &["pkg-config", "libssl-dev"],
        "pkg-config and the development files of OpenSSL",
    )?;
    if found() {
        Ok(())
    } else {
        Err(io::Error::other(
            "`pkg-config --exists openssl` fails although libssl-dev was installed",
        ))
    }
}

fn install(packages: &[&str], elsewhere: &str) -> io::Result<()> {
    let missing = |why: &str| {
        io::Error::other(format!(
            "{elsewhere} is missing, and {why}: install it (on Debian: `apt-get install --no-install-recommends {}`)",
            packages.join(" ")
        ))
    };
    if !is_program(Path::new("/usr/bin/apt-get")) {
        return Err(missing("there is no apt-get here"));
    }
    if !rustix::process::geteuid().is_root() {
        return Err(missing("only root can install it"));
    }
    eprintln!("installing {}", packages.join(" "));
    apt_get(&["update"]).map_err(|error| missing(&error.to_string()))?;
    apt_get(&[&["install", "-y", "--no-install-recommends"], packages].concat())
        .map_err(|error| missing(&error.to_string()))
}

fn apt_get(arguments: &[&str]) -> io::Result<()> {
    let status = Command::new("/usr/bin/apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Says to Debian's init scripts that this is no time to start the system's own server.
        .env("RUNLEVEL", "1")
        .stdin(Stdio::null())
        // Standard output belongs to the command that the servers are started for.
        .stdout(io::stderr())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "`apt-get {}` failed: {status}",
            arguments[0]
        )))
    }
}

/// The folders that a pattern with at most one `*` stands for, the newest version first.
fn versions(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![pattern.into()];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.parse().ok()?;
            Some((version, PathBuf::from(format!("{parent}/{name}{after}"))))
        })
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, path)| path).collect()
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(folder: &Path, name: &str) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(name), "").unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn programs_come_from_one_folder_although_path_has_half_of_them() {
        let root = tempfile::tempdir().unwrap();
        let (half, whole) = (root.path().join("half"), root.path().join("whole"));
        program(&half, "postgres");
        program(&whole, "postgres");
        program(&whole, "initdb");
        let need = Need {
            folders: &[],
            ..Need::POSTGRES
        };
        let found = need.search_in(&[half.clone(), whole.clone()]).unwrap();
        assert_eq!(found.path("postgres"), whole.join("postgres"));
        assert_eq!(found.path("initdb"), whole.join("initdb"));
        assert!(need.search_in(&[half]).is_none());
    }

    #[test]
    fn an_older_name_is_found_under_the_name_of_today() {
        let root = tempfile::tempdir().unwrap();
        let (server, tools) = (root.path().join("sbin"), root.path().join("bin"));
        program(&server, "mysqld");
        program(&tools, "mariadb-install-db");
        let need = Need {
            folders: &[],
            ..Need::MARIADB
        };
        let found = need.search_in(&[server.clone(), tools.clone()]).unwrap();
        assert_eq!(found.path("mariadbd"), server.join("mysqld"));
        assert_eq!(
            found.path("mariadb-install-db"),
            tools.join("mariadb-install-db")
        );
    }

    #[test]
    fn the_newest_version_is_first() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9", "15", "14", "common"] {
            fs::create_dir(root.path().join(version)).unwrap();
        }
        let found = versions(&format!("{}/*/bin", root.path().display()));
        let expected: Vec<PathBuf> = ["15", "14", "9"]
            .iter()
            .map(|v| root.path().join(v).join("bin"))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_that_cannot_be_run_is_no_program() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("postgres"), "").unwrap();
        assert!(!is_program(&root.path().join("postgres")));
        assert!(!is_program(root.path()));
    }
}
