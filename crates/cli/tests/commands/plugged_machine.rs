//! A mirror that is synced when its drive appears, as udev and systemd have it.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::machine::{DRIVE, Machine, USER};
use crate::mirrors::json;
use crate::pool::eventually;
use std::fs;

const REPLICA: &str = "/media/drive/pantala";

/// The names of the units that mirrors have.
fn units(machine: &Machine) -> Vec<String> {
    let entries = fs::read_dir(machine.etc().join("systemd/system")).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("pantala-mirror-")).collect()
}

fn add(machine: &Machine, volume: &str, name: &str) {
    machine.pantala(&["mirror", "add", volume, REPLICA, "--name", name, "--on-plug"]).succeeded();
}

fn write(machine: &Machine, file: &str, text: &str) {
    machine.run_as_user(&["sh", "-c", &format!("echo {text} > ~/{file}")]).succeeded();
}

/// Writes what takes a while to send.
fn write_noise(machine: &Machine, file: &str, mib: u32) {
    let write = format!("head -c {mib}M /dev/urandom > ~/{file} && sync ~/{file}");
    machine.run_as_user(&["sh", "-c", &write]).succeeded();
}

/// Whether all mirrors have what their sources have.
fn are_in_step(machine: &Machine) -> bool {
    let status = json(machine.run_as_user(&["pantala", "mirror", "status", "--json"]));
    status.as_array().unwrap().iter().all(|mirror| mirror["state"] == "in-step")
}

fn are_active(machine: &Machine) -> bool {
    units(machine).iter().all(|unit| machine.property(unit, "ActiveState") == "active")
}

fn expect_synced(machine: &Machine) {
    eventually("the units have done their work", || are_active(machine));
    assert!(are_in_step(machine));
}

/// Neither the store nor the replica has anything that its owner could not change.
fn expect_all_is_the_users(machine: &Machine) {
    let store = machine.store();
    let others = ["find", store.to_str().unwrap(), REPLICA, "!", "-uid", &USER.to_string()];
    assert_eq!(machine.run(&others).succeeded(), "");
}

fn expect_no_failure(machine: &Machine) {
    assert_eq!(machine.run(&["systemctl", "list-units", "--failed", "--no-legend"]).succeeded(), "");
}

fn take_out(machine: &Machine) {
    machine.unmount();
    machine.unplug();
    machine.settle();
}

/// A machine whose user has a store, with the drive there and mounted.
fn machine_with_store() -> Option<Machine> {
    let machine = Machine::boot()?;
    machine.run_as_user(&["pantala", "up"]).succeeded();
    write(&machine, "pantala/file", "one");
    machine.plug();
    machine.mount();
    Some(machine)
}

#[test]
fn a_drive_is_synced_by_the_stores_owner_each_time_it_comes_and_at_no_other_time() {
    let Some(machine) = machine_with_store() else { return };
    machine.add_to_fstab();
    machine.run_as_user(&["pantala", "down"]).succeeded();
    add(&machine, "main", "drive");
    expect_synced(&machine);
    let said = machine.pantala(&["mirror", "set", "drive", "--retention", "30d:1d", "--every", "1d"]).succeeded();
    assert!(said.contains("keeps 30d:1d") && said.contains("every 1d"), "{said}");
    expect_all_is_the_users(&machine);
    let [unit] = units(&machine).try_into().unwrap();
    let state = || machine.property(&unit, "ActiveState");

    take_out(&machine);
    assert_eq!(state(), "inactive");
    machine.run_as_user(&["pantala", "up"]).succeeded();
    write(&machine, "pantala/file", "two");
    let notices = machine.notices().len();
    machine.plug();
    expect_synced(&machine);
    assert!(machine.is_mounted());
    assert_eq!(machine.notices()[notices..], ["drive is up to date and safe to unplug"]);
    expect_all_is_the_users(&machine);

    let run = machine.property(&unit, "InvocationID");
    machine.change();
    assert_eq!((state().as_str(), machine.property(&unit, "InvocationID")), ("active", run));
    assert_eq!(machine.notices().len(), notices + 1);

    machine.pantala(&["mirror", "set", "drive", "--on-plug=false"]).succeeded();
    assert!(units(&machine).is_empty());
    // Until it goes, the drive wants a unit that is not there.
    assert_eq!((state().as_str(), machine.property(&unit, "LoadState").as_str()), ("inactive", "not-found"));
    take_out(&machine);
    machine.plug();
    machine.settle();
    let listed = machine.run(&["systemctl", "list-units", "--all", "--no-legend", "pantala-mirror-*"]).succeeded();
    assert_eq!((listed.as_str(), machine.is_mounted()), ("", false));
    assert_eq!(machine.notices().len(), notices + 1);
    expect_no_failure(&machine);
}

#[test]
fn of_two_mirrors_on_a_drive_the_last_says_that_it_may_be_unplugged_and_so_it_is_after_a_boot() {
    let Some(mut machine) = machine_with_store() else { return };
    machine.add_to_fstab();
    let create = "mkdir ~/second && pantala volume create second --mount ~/second";
    machine.run_as_user(&["sh", "-c", create]).succeeded();
    add(&machine, "main", "drive");
    add(&machine, "second", "drive-second");
    expect_synced(&machine);
    take_out(&machine);

    let expect_safe_at_last = |machine: &Machine, before: usize| {
        expect_synced(machine);
        let notices = machine.notices().split_off(before);
        let first_safe = notices.iter().position(|notice| notice.contains("safe to unplug"));
        assert_eq!(first_safe, Some(notices.len() - 1), "{notices:?}");
    };
    let write_both = || ["pantala", "second"].map(|volume| write_noise(&machine, &format!("{volume}/noise"), 20));
    write_both();
    let before = machine.notices().len();
    machine.plug();
    expect_safe_at_last(&machine, before);

    write_both();
    machine.run_as_user(&["pantala", "down"]).succeeded();
    let before = machine.notices().len();
    machine.boot_again();
    expect_safe_at_last(&machine, before);
    expect_all_is_the_users(&machine);
    expect_no_failure(&machine);
}

#[test]
fn a_drive_that_goes_before_or_during_a_sync_is_no_failure() {
    let Some(machine) = machine_with_store() else { return };
    add(&machine, "main", "drive");
    expect_synced(&machine);
    let [unit] = units(&machine).try_into().unwrap();
    let expect_state = |expected: &str| {
        eventually(expected, || {
            let state = machine.property(&unit, "ActiveState");
            assert_ne!(state, "failed");
            state == expected
        });
    };
    take_out(&machine);

    // It waits for somebody to mount the drive.
    machine.plug();
    expect_state("activating");
    machine.unplug();
    expect_state("inactive");

    write_noise(&machine, "pantala/noise", 100);
    machine.plug();
    machine.mount();
    let used = || -> u64 {
        let kib = machine.run(&["df", "--output=used", DRIVE]).succeeded();
        kib.lines().last().unwrap().trim().parse().unwrap()
    };
    let before = used();
    eventually("it is being sent", || used() > before + 4096);
    machine.unplug();
    expect_state("inactive");
    let shown = machine.notices();
    assert!(!shown.last().unwrap().contains("safe to unplug"), "it was not cut off: {shown:?}");

    machine.plug();
    machine.mount();
    expect_synced(&machine);
    expect_no_failure(&machine);
}
