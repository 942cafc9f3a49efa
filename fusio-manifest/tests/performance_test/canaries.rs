//! Runs as processes, with canaries for credentials: what they print, what they write and what they start is searched.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use manifest_perf::s3::{
    credentials::Accepted,
    embedded::{EmbeddedConfig, EmbeddedS3},
};

const BUCKET: &str = "canaries";
const ACCESS_KEY: &str = "AKIACANARYACCESSKEY0";
const SECRET: &str = "canary-secret/0123456789abcdef+0123456789";
const TOKEN: &str = "canary-session-token/0123456789abcdef==";

/// The canaries in some bytes, by their parts that no escaping changes.
pub(crate) fn found_in(bytes: &[u8]) -> Vec<&'static str> {
    let text = String::from_utf8_lossy(bytes);
    let parts = ["CANARYACCESSKEY", "canary-secret", "canary-session-token"];
    parts.into_iter().filter(|part| text.contains(part)).collect()
}

/// An endpoint that takes the canaries, and the folder that runs write to.
pub(crate) struct Fixture {
    server: EmbeddedS3,
    pub(crate) out: PathBuf,
}

/// A run that has ended.
pub(crate) struct Ran {
    pub(crate) output: Output,
    /// The arguments of all processes that were seen beside it, its own helpers among them.
    pub(crate) seen: BTreeSet<Vec<u8>>,
}

impl Fixture {
    pub(crate) fn new(name: &str) -> Self {
        let server = EmbeddedS3::start(EmbeddedConfig {
            latency: "none".parse().unwrap(),
            faults: "none".parse().unwrap(),
            seed: 1,
            bucket: BUCKET.to_owned(),
            access_key: "nobody".to_owned(),
            secret_key: "nobody".to_owned(),
        })
        .unwrap();
        server.accept(vec![Accepted {
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET.to_owned(),
            session_token: Some(TOKEN.to_owned()),
        }]);
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&out);
        fs::create_dir_all(&out).unwrap();
        Self { server, out }
    }

    /// This program once more, as people run it, with canaries in its environment.
    pub(crate) fn run(&self, scenario: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("AWS_") || name.starts_with("PERF_") {
                command.env_remove(&*name);
            }
        }
        let summary = self.out.join("summary.md");
        let mut child = command
            .args([scenario, "--ignored", "--exact", "--nocapture"])
            .env("PERF_STORE", "s3")
            .env("PERF_S3_ENDPOINT", self.server.endpoint())
            .env("PERF_S3_BUCKET", BUCKET)
            .env("PERF_OUT", &self.out)
            .env("PERF_SUMMARY", &summary)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_SESSION_TOKEN", TOKEN)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("HOME", "/nonexistent")
            .env("RUST_LOG", "trace")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let stdout = thread::spawn(move || whole(stdout));
        let stderr = thread::spawn(move || whole(stderr));
        let mut seen = BTreeSet::new();
        let status = loop {
            look_around(&mut seen);
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            pause();
        };
        Ran {
            output: Output {
                status,
                stdout: stdout.join().unwrap(),
                stderr: stderr.join().unwrap(),
            },
            seen,
        }
    }

    /// Every file that runs have written, with what it holds.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let (mut folders, mut files) = (vec![self.out.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else if path.is_file() {
                    files.push((path.clone(), fs::read(path).unwrap()));
                }
            }
        }
        files
    }
}

fn whole(mut pipe: impl std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The arguments of every process that can be seen now; of none where the system has no `/proc`.
fn look_around(seen: &mut BTreeSet<Vec<u8>>) {
    let Ok(processes) = fs::read_dir("/proc") else {
        return;
    };
    for process in processes.flatten() {
        if let Ok(arguments) = fs::read(process.path().join("cmdline")) {
            seen.insert(arguments);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "another process is looked at; nothing is measured or decided by it"
)]
fn pause() {
    thread::sleep(Duration::from_millis(5));
}
