//! A Postgres of a test's own, that asks for passwords and speaks TLS with a certificate of the test's own authority.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::certificates::Certificates;

/// The server, which ends with this value.
pub struct OwnPostgres {
    pub port: u16,
    folder: TempDir,
}

/// The administrator's password.
pub const PASSWORD: &str = "the-owner-of-it-all";

impl OwnPostgres {
    /// A new server, answering.
    pub fn start(certificates: &Certificates) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("password"), PASSWORD).unwrap();
        let (data, password) = (at("data"), at("password"));
        run(
            folder.path(),
            &program("initdb"),
            &[
                "-D",
                &data,
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "--auth=scram-sha-256",
                "--pwfile",
                &password,
            ],
        );
        for name in ["cert.pem", "key.pem"] {
            std::fs::copy(certificates.file(name), at(name)).unwrap();
        }
        run(
            folder.path(),
            "install",
            &["-m", "600", &at("key.pem"), &format!("{data}/server.key")],
        );
        run(
            folder.path(),
            "install",
            &["-m", "644", &at("cert.pem"), &format!("{data}/server.crt")],
        );
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let options = format!(
            "-p {port} -k {} -c listen_addresses=localhost -c ssl=on -c fsync=off",
            folder.path().display()
        );
        let log = at("log");
        run(
            folder.path(),
            &program("pg_ctl"),
            &["-D", &data, "-l", &log, "-w", "-t", "60", "-o", &options, "start"],
        );
        Self { port, folder }
    }

    /// Its address for this account.
    pub fn url(&self, user: &str, password: &str, parameters: &str) -> String {
        format!(
            "postgres://{user}:{password}@localhost:{}/postgres?{parameters}",
            self.port
        )
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        let data = self.folder.path().join("data").display().to_string();
        run(
            self.folder.path(),
            &program("pg_ctl"),
            &["-D", &data, "-m", "immediate", "-w", "stop"],
        );
    }
}

/// Postgres runs under no superuser's account: the tests of a container do.
fn run(folder: &Path, program: &str, arguments: &[&str]) {
    let root = std::fs::metadata("/proc/self").is_ok_and(|metadata| {
        use std::os::unix::fs::MetadataExt;
        metadata.uid() == 0
    });
    let mut command = if root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", program]);
        command
    } else {
        Command::new(program)
    };
    let output = command
        .args(arguments)
        .current_dir(folder)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(folder.join(".out")).unwrap())
        .stderr(std::fs::File::create(folder.join(".err")).unwrap())
        .status()
        .unwrap();
    let complaint = std::fs::read_to_string(folder.join(".err")).unwrap_or_default();
    assert!(output.success(), "{program}: {complaint}");
}

fn program(name: &str) -> String {
    let found = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    found
        .map(|version| version.path().join("bin").join(name))
        .find(|path| path.exists())
        .map_or_else(|| name.to_owned(), |path| path.display().to_string())
}
