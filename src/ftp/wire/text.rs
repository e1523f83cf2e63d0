//! How numbers and names are put into a line: padded digits, and names that cannot forge a line.
//! Knows no format: widths and the bytes to replace are the caller's.

/// Digits of `u64::MAX`.
const MAX_DIGITS: usize = 20;

/// Writes `number` in decimal, right-aligned in `width` columns (at most 20) of `pad`. A longer number is
/// written whole.
pub(super) fn push_number(out: &mut Vec<u8>, mut number: u64, width: usize, pad: u8) {
    let mut digits = [pad; MAX_DIGITS];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    let start = MAX_DIGITS - used.max(width.min(MAX_DIGITS));
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// Writes `bytes`, each that is `bad` as `instead`.
pub(super) fn push_replacing(out: &mut Vec<u8>, bytes: &[u8], instead: u8, bad: impl Fn(u8) -> bool) {
    let start = out.len();
    out.extend_from_slice(bytes);
    for byte in out.iter_mut().skip(start) {
        if bad(*byte) {
            *byte = instead;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let table = [
            (0, 0, "0"),
            (0, 3, "  0"),
            (42, 4, "  42"),
            (12345, 4, "12345"),
            (u64::MAX, 8, "18446744073709551615"),
            (7, 99, "                   7"),
        ];
        for (number, width, expected) in table {
            let mut out = Vec::new();
            push_number(&mut out, number, width, b' ');
            assert_eq!(out, expected.as_bytes());
        }
    }
}
