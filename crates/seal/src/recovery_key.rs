//! A recovery key: 256 random bits as text that people write down.

use crate::Result;
use crate::key::random_bytes;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// A way to a volume's key that needs no memory but paper.
pub struct RecoveryKey(pub(crate) Zeroizing<[u8; 32]>);

/// Digits without those that are taken for one another (Crockford's base 32).
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Digits of the text: 256 bits and a checksum of 19 bits.
const TEXT_DIGITS: usize = 55;

/// Digits between two hyphens.
const GROUP_DIGITS: usize = 5;

impl RecoveryKey {
    /// A new one.
    pub fn random() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        random_bytes(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// The text, in groups: what is shown once.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(TEXT_DIGITS + TEXT_DIGITS / GROUP_DIGITS));
        for (at, digit) in self.digits().iter().enumerate() {
            if at > 0 && at % GROUP_DIGITS == 0 {
                text.push('-');
            }
            text.push(DIGITS[*digit as usize] as char);
        }
        text
    }

    /// Five bits each: those of the key, then those of the checksum.
    fn digits(&self) -> Zeroizing<[u8; TEXT_DIGITS]> {
        let sum = blake3::derive_key("Pantala 2026-11 recovery key: checksum", &*self.0);
        let bit = |at: usize| match at {
            0..256 => self.0[at / 8] >> (7 - at % 8) & 1,
            _ => sum[(at - 256) / 8] >> (7 - at % 8) & 1,
        };
        Zeroizing::new(std::array::from_fn(|digit| {
            (0..5).fold(0, |digits, place| digits << 1 | bit(5 * digit + place))
        }))
    }
}

/// Some text is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRecoveryKey;

impl FromStr for RecoveryKey {
    type Err = NoRecoveryKey;

    /// Upper case, missing hyphens and digits taken for one another do not matter.
    fn from_str(text: &str) -> std::result::Result<Self, NoRecoveryKey> {
        let mut digits = Zeroizing::new(Vec::with_capacity(TEXT_DIGITS));
        for character in text.bytes().filter(|byte| !b"- \n\r\t".contains(byte)) {
            let digit = match character.to_ascii_lowercase() {
                b'o' => b'0',
                b'i' | b'l' => b'1',
                other => other,
            };
            let value = DIGITS.iter().position(|known| *known == digit).ok_or(NoRecoveryKey)?;
            digits.push(value as u8);
        }
        if digits.len() != TEXT_DIGITS {
            return Err(NoRecoveryKey);
        }
        let mut key = Self(Zeroizing::new([0; 32]));
        for at in 0..256 {
            key.0[at / 8] |= (digits[at / 5] >> (4 - at % 5) & 1) << (7 - at % 8);
        }
        if *key.digits() == digits[..] { Ok(key) } else { Err(NoRecoveryKey) }
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_gives_its_key_however_it_is_written_and_a_typo_is_noticed() {
        let key = RecoveryKey::random().unwrap();
        let text = key.to_text();
        assert_eq!(text.split('-').count(), 11);
        let again = |text: &str| text.parse::<RecoveryKey>().map(|key| *key.0);
        assert_eq!(again(&text), Ok(*key.0));
        let sloppy = text.to_uppercase().replace('-', " ").replace('0', "O").replace('1', "l");
        assert_eq!(again(&sloppy), Ok(*key.0));
        for at in (0..text.len()).filter(|at| text.as_bytes()[*at] != b'-') {
            let mut typo = text.as_bytes().to_vec();
            typo[at] = if typo[at] == b'7' { b'8' } else { b'7' };
            assert_eq!(again(std::str::from_utf8(&typo).unwrap()), Err(NoRecoveryKey), "digit {at}");
        }
        assert_eq!(again(&text[..text.len() - 1]), Err(NoRecoveryKey));
        assert_eq!(again("correct horse battery staple"), Err(NoRecoveryKey));
    }
}
