//! Sizes and spans of time as users write them.

const SIZE_UNITS: [&str; 5] = ["", "K", "M", "G", "T"];

const SPAN_UNITS: [(&str, u64); 6] =
    [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 7 * 86_400), ("y", 365 * 86_400)];

/// Seconds from one time to the next; `None` for never.
pub(crate) type Every = std::option::Option<u64>;

/// Bytes per second: `50M`, `1.5 MiB/s`, `1000000`.
pub(crate) fn rate(text: &str) -> Result<u64, String> {
    let upper = text.trim().to_ascii_uppercase();
    let size = upper.strip_suffix("/S").unwrap_or(&upper);
    let (number, unit) = split(size);
    let unit = unit.strip_suffix("IB").or(unit.strip_suffix('B')).unwrap_or(unit);
    let power = SIZE_UNITS.iter().position(|name| *name == unit);
    let bytes = number.trim().parse::<f64>().ok().zip(power).map(|(number, power)| number * 1024f64.powi(power as i32));
    let bytes = bytes.filter(|bytes| (1.0..u64::MAX as f64).contains(bytes));
    bytes.map(|bytes| bytes as u64).ok_or_else(|| "it is a number of bytes per second, as in 50M".to_owned())
}

/// Seconds of a span of time: `30d`, `12h`; `None` for `never`.
pub(crate) fn span_or_never(text: &str) -> Result<Option<u64>, String> {
    if text == "never" {
        return Ok(None);
    }
    let (number, unit) = split(text.trim());
    let unit = SPAN_UNITS.iter().find(|(name, _)| *name == unit);
    let seconds = number.parse::<u64>().ok().zip(unit).and_then(|(number, (_, seconds))| number.checked_mul(*seconds));
    let seconds = seconds.filter(|seconds| *seconds > 0);
    seconds
        .map(Some)
        .ok_or_else(|| "it is a number with s, m, h, d, w or y behind it, as in 30d, or `never`".to_owned())
}

fn split(text: &str) -> (&str, &str) {
    let is_of_unit = |letter: char| !letter.is_ascii_digit() && letter != '.';
    let (number, unit) = text.split_at(text.find(is_of_unit).unwrap_or(text.len()));
    (number, unit.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_spans_are_read_and_nonsense_is_refused() {
        let rates = [("50M", 50 << 20), ("1 GiB/s", 1 << 30), ("7", 7), ("1.5g", 3 << 29), ("2KiB", 2048), ("7B", 7)];
        rates.iter().for_each(|(text, bytes)| assert_eq!(rate(text), Ok(*bytes), "{text}"));
        assert_eq!((span_or_never("30d"), span_or_never("never")), (Ok(Some(30 * 86_400)), Ok(None)));
        assert!(
            ["", "M", "0", "5X", "-1", "1.5.5M", "nan", "inf", "."]
                .iter()
                .all(|text| rate(text).is_err() && span_or_never(text).is_err())
        );
    }
}
