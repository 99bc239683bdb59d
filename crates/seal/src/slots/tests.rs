//! Slots that are opened, changed, damaged and hostile.

use super::*;
use crate::RecoveryKey;
use proptest::prelude::*;

fn passphrase(text: &str) -> Unlocking {
    Unlocking::typed(Zeroizing::new(text.as_bytes().to_vec()))
}

fn key_file(byte: u8) -> Unlocking {
    Unlocking::key_file(Zeroizing::new(vec![byte; 64])).unwrap()
}

fn bytes(key: &VolumeKey) -> [u8; 32] {
    *key.to_bytes()
}

#[test]
fn each_slot_gives_the_same_key_until_it_is_removed() {
    let key = VolumeKey::random().unwrap();
    let mut table = KeySlots::new(&key, &passphrase("correct horse"), Cost::LEAST).unwrap();
    let recovery = RecoveryKey::random().unwrap();
    let text = recovery.to_text();
    let file_slot = table.add(&key, &key_file(1), Cost::LEAST).unwrap();
    table.add(&key, &Unlocking::Recovery(recovery), Cost::LEAST).unwrap();
    let table_again = KeySlots::decode(&table.encode()).unwrap();
    assert_eq!(table_again, table);
    for way in [passphrase("correct horse"), key_file(1), passphrase(&text)] {
        assert_eq!(bytes(&table_again.unlock(&way).unwrap()), bytes(&key));
    }
    for way in [passphrase("correct house"), key_file(2), Unlocking::Recovery(RecoveryKey::random().unwrap())] {
        assert!(matches!(table.unlock(&way), Err(Error::WrongKey { .. })), "{way:?}");
    }
    table.remove(&key, file_slot).unwrap();
    let refused = table.unlock(&key_file(1)).unwrap_err().to_string();
    assert_eq!(refused, "the key file is not that of the volume; it opens with one passphrase or one recovery key");
    assert_eq!((table.generation(), table.remove(&key, 9)), (4, Err(Error::NoSuchSlot(9))));
    table.remove(&key, 2).unwrap();
    assert_eq!(table.remove(&key, 0), Err(Error::LastSlot));
}

#[test]
fn there_is_an_end_to_the_slots_and_numbers_are_used_again() {
    let key = VolumeKey::random().unwrap();
    let mut table = KeySlots::new(&key, &key_file(0), Cost::LEAST).unwrap();
    for byte in 1..SLOTS_MAX as u8 {
        assert_eq!(table.add(&key, &key_file(byte), Cost::LEAST), Ok(byte));
    }
    assert_eq!(table.add(&key, &key_file(99), Cost::LEAST), Err(Error::SlotsFull));
    assert_eq!(table.encode().len(), KeySlots::ENCODED_BYTES_MAX);
    table.remove(&key, 3).unwrap();
    assert_eq!(table.add(&key, &key_file(99), Cost::LEAST), Ok(3));
    assert!(table.unlock(&key_file(99)).is_ok());
}

#[test]
fn weak_ways_are_refused() {
    let key = VolumeKey::random().unwrap();
    let refused = |way| matches!(KeySlots::new(&key, &way, Cost::LEAST), Err(Error::Refused(_)));
    assert!(refused(passphrase("short")) && refused(passphrase("")));
    assert!(refused(passphrase(&"long".repeat(2000))));
    assert!(matches!(Unlocking::key_file(Zeroizing::new(vec![1; 31])), Err(Error::Refused(_))));
}

#[test]
fn a_slot_that_somebody_else_put_in_is_not_used() {
    let (key, other) = (VolumeKey::random().unwrap(), VolumeKey::random().unwrap());
    let table = KeySlots::new(&key, &key_file(1), Cost::LEAST).unwrap();
    let mut forged = table.clone();
    forged.slots = KeySlots::new(&other, &key_file(2), Cost::LEAST).unwrap().slots;
    assert!(matches!(forged.unlock(&key_file(2)), Err(Error::DamagedSlots(_))));
    assert!(matches!(table.verify(&other), Err(Error::DamagedSlots(_))));
}

#[test]
fn a_damaged_table_is_refused_wherever_it_is_damaged() {
    let key = VolumeKey::random().unwrap();
    let mut table = KeySlots::new(&key, &key_file(1), Cost::LEAST).unwrap();
    table.add(&key, &key_file(2), Cost::LEAST).unwrap();
    let encoded = table.encode();
    for at in 0..encoded.len() {
        let mut changed = encoded.clone();
        changed[at] ^= 1;
        let unlocked = KeySlots::decode(&changed).and_then(|table| table.unlock(&key_file(1)).map(drop));
        assert!(unlocked.is_err(), "byte {at}");
        assert!(KeySlots::decode(&encoded[..at]).is_err(), "{at} bytes");
    }
}

#[test]
fn what_a_newer_pantala_wrote_is_named_as_such() {
    let table = KeySlots::new(&VolumeKey::random().unwrap(), &key_file(1), Cost::LEAST).unwrap();
    for at in [0, 1, HEADER_BYTES + 1] {
        let mut newer = table.encode();
        newer[at] = 9;
        assert!(matches!(KeySlots::decode(&newer), Err(Error::Newer(_))), "byte {at}");
    }
}

#[test]
fn a_table_that_asks_for_too_much_or_too_little_work_is_refused() {
    let table = KeySlots::new(&VolumeKey::random().unwrap(), &passphrase("correct horse"), Cost::LEAST).unwrap();
    for (at, value) in [(4, 1 << 30), (4, 1024), (8, 0), (8, 1000), (12, 0), (12, 1 << 20)] {
        let mut hostile = table.encode();
        hostile[HEADER_BYTES + at..][..4].copy_from_slice(&u32::to_le_bytes(value));
        assert!(matches!(KeySlots::decode(&hostile), Err(Error::DamagedSlots(_))), "{value} at {at}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_or_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        crate::fuzz_sealed(&bytes);
        crate::fuzz_sealed(&[&[1, 1, 3, 0][..], &bytes].concat());
    }
}
