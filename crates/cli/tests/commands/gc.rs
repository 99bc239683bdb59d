//! `pantala gc`.

use crate::pool::Pool;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

const FILE_BYTES: u64 = 40 << 20;

fn fill(path: &Path) {
    let mut noise = File::open("/dev/urandom").expect("chance").take(FILE_BYTES);
    std::io::copy(&mut noise, &mut File::create(path).expect("a file")).expect("space");
}

#[test]
fn space_of_what_is_deleted_comes_back_and_the_rest_stays() {
    let pool = Pool::up();
    pool.run(&["volume", "set", "main", "retention=none"]).succeeded();
    let files: Vec<_> = (0..6).map(|number| pool.mount().join(number.to_string())).collect();
    files.iter().for_each(|path| fill(path));
    let kept = fs::read(&files[5]).expect("it is there");
    files[..5].iter().for_each(|path| fs::remove_file(path).expect("it is there"));
    // The newest root of the history stays until there is a newer one: that of the second change.
    for name in ["one", "another"] {
        fs::write(pool.mount().join(name), name).expect("space");
        let said = pool.run(&["gc"]).succeeded();
        assert!(said.contains(" freed, "), "{said}");
    }
    let garbage: serde_json::Value =
        serde_json::from_str(&pool.run(&["gc", "--status", "--json"]).succeeded()).expect("JSON");
    assert_eq!(garbage["is_running"], false);
    assert_eq!(garbage["stage"], "done");
    let space = &pool.status()["space"];
    assert!(space["live_bytes"].as_u64() < Some(2 * FILE_BYTES), "{space}");
    assert!(space["stored_bytes"].as_u64() < Some(4 * FILE_BYTES), "{space}");
    assert!(fs::read(&files[5]).expect("it is there") == kept);
    pool.run(&["down"]).succeeded();
    pool.run(&["store", "reindex"]).succeeded();
    pool.run(&["up"]).succeeded();
    assert!(fs::read(&files[5]).expect("it is there") == kept);
}

#[test]
fn without_a_node_there_is_nothing_to_collect() {
    Pool::new().run(&["gc"]).failed_saying(&["is not up"]);
}
