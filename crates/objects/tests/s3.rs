//! A server that speaks S3: moto, which `cargo xtask setup` puts into the target directory.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "../../mirror/tests/sync/world.rs"]
#[allow(dead_code, reason = "the tests of `mirror` use the rest of it")]
mod world;

use mirror::{LocalReplica, LocalSource, ReplicaMode, SourceVolume, SyncOptions, Verifiable, sync};
use objects::{Bucket, ObjectPlace};
use sim::Random;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use world::{CREATE, Clock, Place, assert_same, edit};

/// Where the set-up puts the server, in the target directory.
const MOTO: &str = "moto-5.2.5";
const BUCKET: &str = "pantala-test";

/// A server with an empty bucket, for as long as this lives.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let moto = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(MOTO);
        assert!(moto.is_dir(), "there is no {}: run `cargo xtask setup` first", moto.display());
        let mut command = Command::new("python3");
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]).env("PYTHONPATH", moto);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut printed = String::new();
        let address = loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "moto ended: {printed}");
            if let Some((_, address)) = line.trim().split_once("Running on http://") {
                break address.to_owned();
            }
            printed += &line;
        };
        // It logs every request; nobody may wait for that to be read.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let server = Self { process, address };
        server.make_bucket();
        server
    }

    fn make_bucket(&self) {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let (address, nothing) = (&self.address, "Content-Length: 0\r\nConnection: close");
        write!(connection, "PUT /{BUCKET} HTTP/1.1\r\nHost: {address}\r\n{nothing}\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).unwrap();
    }
}

#[test]
fn a_volume_goes_to_s3_and_comes_back() {
    let server = Server::start();
    let variables = [
        ("AWS_ENDPOINT_URL", &format!("http://{}", server.address)[..]),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
    ];
    for (name, value) in variables {
        // SAFETY: it is the only test of its process, and its other thread reads no environment.
        unsafe { std::env::set_var(name, value) };
    }
    let open = |bucket: &str| ObjectPlace::new(Bucket::open(&format!("s3://{bucket}/replica"), true).unwrap());
    let clock = Arc::new(Clock::default());
    let place = Place::new(1, &clock, true);
    let (volume, mut random) = (place.volume(), Random::new(1));
    for mode in [CREATE, ReplicaMode::default(), ReplicaMode::default()] {
        (0..40).for_each(|_| edit(&volume, &mut random));
        let source = LocalSource::open(&place.pool, "main").unwrap();
        let replica = open(BUCKET).replica(source.origin(), mode).unwrap();
        let other = open(BUCKET).replica(source.origin(), ReplicaMode::default()).unwrap();
        sync(&source, &replica, &SyncOptions::default()).unwrap();
        let lost = sync(&source, &other, &SyncOptions::default()).unwrap_err();
        assert!(matches!(lost, mirror::Error::Busy { .. }), "{lost}");
    }
    let from = open(BUCKET).source("main").unwrap();
    let restored = Place::new(2, &clock, false);
    let to = LocalReplica::open(&restored.pool, from.origin().identity, "main", &from.origin().state, CREATE).unwrap();
    sync(&from, &to, &SyncOptions::default()).unwrap();
    drop(to);
    assert_same(&place, &restored);
    open(BUCKET).prune("main").unwrap();
    assert_eq!(open(BUCKET).verifiable().verify().unwrap(), []);
    let missing = open("pantala-no-such-bucket").list().unwrap_err().to_string();
    assert!(missing.contains("no such bucket"), "{missing}");
}
