//! A server that speaks S3. It has to be there: for one of one's own, `pip install 'moto[server]'`, `moto_server -p 5000`, then
//! `curl -X PUT http://127.0.0.1:5000/pantala-test` and, with the variables that S3's tools know,
//! `AWS_ENDPOINT_URL=http://127.0.0.1:5000 AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_REGION=us-east-1
//! OBJECTS_TEST_BUCKET=pantala-test cargo test -p objects --test s3 -- --ignored`.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "../../mirror/tests/sync/world.rs"]
#[allow(dead_code, reason = "the tests of `mirror` use the rest of it")]
mod world;

use mirror::{LocalReplica, LocalSource, ReplicaMode, SourceVolume, SyncOptions, Verifiable, sync};
use objects::{Bucket, ObjectPlace};
use sim::Random;
use std::sync::Arc;
use world::{CREATE, Clock, Place, assert_same, edit};

#[test]
#[ignore = "needs a server of S3 and a bucket there, OBJECTS_TEST_BUCKET"]
fn a_volume_goes_to_s3_and_comes_back() {
    let bucket = std::env::var("OBJECTS_TEST_BUCKET").unwrap();
    let prefix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let open = |bucket: &str| ObjectPlace::new(Bucket::open(&format!("s3://{bucket}/{prefix}"), true).unwrap());
    let clock = Arc::new(Clock::default());
    let place = Place::new(1, &clock, true);
    let (volume, mut random) = (place.volume(), Random::new(1));
    for mode in [CREATE, ReplicaMode::default(), ReplicaMode::default()] {
        (0..40).for_each(|_| edit(&volume, &mut random));
        let source = LocalSource::open(&place.pool, "main").unwrap();
        let replica = open(&bucket).replica(source.origin(), mode).unwrap();
        let other = open(&bucket).replica(source.origin(), ReplicaMode::default()).unwrap();
        sync(&source, &replica, &SyncOptions::default()).unwrap();
        let lost = sync(&source, &other, &SyncOptions::default()).unwrap_err();
        assert!(matches!(lost, mirror::Error::Busy { .. }), "{lost}");
    }
    let from = open(&bucket).source("main").unwrap();
    let restored = Place::new(2, &clock, false);
    let to = LocalReplica::open(&restored.pool, from.origin().identity, "main", &from.origin().state, CREATE).unwrap();
    sync(&from, &to, &SyncOptions::default()).unwrap();
    drop(to);
    assert_same(&place, &restored);
    open(&bucket).prune("main").unwrap();
    assert_eq!(open(&bucket).verifiable().verify().unwrap(), []);
    let missing = open("pantala-no-such-bucket").list().unwrap_err().to_string();
    assert!(missing.contains("no such bucket"), "{missing}");
}
