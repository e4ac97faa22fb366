//! Certificates for servers, made with the program `openssl`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::binaries::{Need, Programs};

/// Whoever trusts it trusts the servers that it has certified. It lives in a temporary folder, and goes with this
/// value.
#[derive(Debug)]
pub struct Authority {
    folder: tempfile::TempDir,
    openssl: PathBuf,
}

/// What a server proves with who it is, or a client, and the secret behind that.
#[derive(Clone, Debug)]
pub struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
}

// What the installed `openssl.cnf` says stays out. A certificate without the extensions of version 3 is refused.
const CONFIGURATION: &str = "[req]
distinguished_name = name
prompt = no
[name]
CN = steadfast tests
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
";

impl Authority {
    /// Finds or installs the program.
    ///
    /// # Errors
    ///
    /// A program that is missing and cannot be installed.
    pub fn find() -> io::Result<()> {
        Programs::find(&Need::OPENSSL).map(drop)
    }

    /// A new one, which nobody trusts yet.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find); and a program that fails.
    pub fn create() -> io::Result<Self> {
        let authority = Self {
            folder: tempfile::tempdir()?,
            openssl: Programs::find(&Need::OPENSSL)?.path("openssl"),
        };
        fs::write(authority.folder.path().join("openssl.cnf"), CONFIGURATION)?;
        authority.openssl(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -config openssl.cnf -x509 -days 2 \
             -extensions authority -keyout authority.key -out authority.crt",
        )?;
        Ok(authority)
    }

    /// The certificate to trust.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("authority.crt")
    }

    /// An identity for the server at these names, in the words of `subjectAltName`: `DNS:localhost,IP:127.0.0.1`.
    ///
    /// # Errors
    ///
    /// A program that fails, because of names that it does not understand, too.
    pub fn certify(&self, names: &str) -> io::Result<Identity> {
        let file = |name: &str| self.folder.path().join(name);
        fs::write(
            file("server.ext"),
            format!("basicConstraints = CA:FALSE\nsubjectAltName = {names}\n"),
        )?;
        self.openssl(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -config openssl.cnf -keyout server.key \
             -out server.csr",
        )?;
        self.openssl(
            "x509 -req -in server.csr -days 2 -extfile server.ext -CA authority.crt -CAkey authority.key \
             -CAcreateserial -out server.crt",
        )?;
        Ok(Identity {
            certificate: fs::read_to_string(file("server.crt"))?,
            key: fs::read_to_string(file("server.key"))?,
        })
    }

    /// Files of an identity for a client: its certificate, and the secret behind that. They go with the authority.
    ///
    /// # Errors
    ///
    /// As [`certify`](Self::certify).
    pub fn client(&self) -> io::Result<[PathBuf; 2]> {
        let Identity { certificate, key } = self.certify("DNS:client")?;
        let files = ["client.crt", "client.key"].map(|name| self.folder.path().join(name));
        fs::write(&files[0], certificate)?;
        fs::write(&files[1], key)?;
        Ok(files)
    }

    fn openssl(&self, arguments: &str) -> io::Result<()> {
        run(&self.openssl, arguments, self.folder.path())
    }
}

fn run(program: &Path, arguments: &str, folder: &Path) -> io::Result<()> {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "`openssl {arguments}` failed: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )))
}
