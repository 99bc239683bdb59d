//! Lengths that tell little: those of compressed chunks would tell which well-known file they are of.
//!
//! Padme, of "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs" (PETS 2019): a length keeps its leading bits, of
//! which there are about log2(log2(length)), and is rounded up to that. It costs less than 1/16 from 4 KiB on, and nothing for powers of two.

/// The length to which one is padded.
pub(crate) fn padded(bytes: usize) -> usize {
    let Some(exponent) = bytes.checked_ilog2().filter(|exponent| *exponent > 0) else { return bytes };
    let kept_bits = exponent.ilog2() + 1;
    let mask = (1usize << exponent.saturating_sub(kept_bits)) - 1;
    (bytes + mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_costs_little_and_leaves_few_lengths() {
        assert_eq!([0, 1, 2, 9, 100, 131_072, 70_001].map(padded), [0, 1, 2, 10, 104, 131_072, 71_680]);
        let mut lengths = std::collections::BTreeSet::new();
        for bytes in 0..=131_072 {
            let padded = padded(bytes);
            assert!(padded >= bytes && (padded - bytes) * 16 <= bytes.max(4096), "{bytes}");
            assert_eq!(super::padded(padded), padded);
            lengths.insert(padded);
        }
        assert!(lengths.len() < 300, "{}", lengths.len());
    }
}
