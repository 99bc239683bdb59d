//! A volume's key in a message: it goes from a command to the node, over a socket that only their user can open, and into no log.

use seal::VolumeKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use zeroize::Zeroizing;

/// The bytes of a volume's key.
pub(crate) struct SecretKey(Zeroizing<[u8; VolumeKey::BYTES]>);

impl SecretKey {
    /// The bytes of a key.
    pub(crate) fn of(key: &VolumeKey) -> Self {
        Self(key.to_bytes())
    }

    /// The key.
    pub(crate) fn key(&self) -> VolumeKey {
        VolumeKey::from_bytes(&self.0)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretKey(..)")
    }
}

impl Serialize for SecretKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(to_hex(&*self.0)))
    }
}

impl<'de> Deserialize<'de> for SecretKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = Zeroizing::new(from_hex(&text).unwrap_or_default());
        let key = <[u8; VolumeKey::BYTES]>::try_from(&bytes[..]);
        key.map(|key| Self(Zeroizing::new(key))).map_err(|_| de::Error::custom("a key has another length"))
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value as u32, 16).expect("four bits are a digit");
    let mut text = String::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|byte| text.extend([digit(byte >> 4), digit(byte & 15)]));
    text
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| (byte as char).to_digit(16).map(|value| value as u8);
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_arrives_as_it_was_sent_and_is_not_shown() {
        let key = SecretKey(Zeroizing::new(std::array::from_fn(|at| 8 * at as u8)));
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(*serde_json::from_str::<SecretKey>(&text).unwrap().0, *key.0);
        assert_eq!(format!("{key:?}"), "SecretKey(..)");
        for bad in ["\"\"", "\"0g\"", "\"00\"", "7"] {
            assert!(serde_json::from_str::<SecretKey>(bad).is_err(), "{bad}");
        }
    }
}
