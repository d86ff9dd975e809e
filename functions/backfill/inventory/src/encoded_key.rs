//! Keys as CSV inventories write them: form-encoded, as in S3's event notifications.
//!
//! Source: S3 user guide, "Cataloging and analyzing your data with S3 Inventory", on the column Key: URL-encoded in CSV.
//! The guide does not say that a space comes as `+` and a plus sign as `%2B`; those who read such lists report it, and the
//! other places where S3 encodes keys do the same. Parquet has keys as they are.

use percent_encoding::percent_decode;

/// The key that `encoded` stands for, or what is wrong with it. A percent sign that encodes nothing is refused: S3
/// writes none, and guessing could name another object.
pub(crate) fn decode_key(encoded: &[u8]) -> Result<String, &'static str> {
    if encoded.is_empty() {
        return Err("the key is empty");
    }
    if !encoded.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return match std::str::from_utf8(encoded) {
            Ok(key) => Ok(key.to_owned()),
            Err(_) => Err(NOT_UTF8),
        };
    }
    let whole = |at: usize| {
        let digits = encoded.get(at + 1..at + 3);
        digits.is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
    };
    if (0..encoded.len()).any(|at| encoded[at] == b'%' && !whole(at)) {
        return Err("a percent sign in the key is not followed by two hexadecimal digits");
    }
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    String::from_utf8(percent_decode(&spaced).collect()).map_err(|_| NOT_UTF8)
}

const NOT_UTF8: &str = "the key is not UTF-8";

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    #[test]
    fn a_plus_sign_is_a_space_and_percent_2b_a_plus_sign() {
        assert_eq!(
            decode_key(b"a+b%2Bc%20d%25"),
            Ok("a+b+c d%".replacen('+', " ", 1))
        );
        assert_eq!(decode_key("%C3%A9/é".as_bytes()), Ok("é/é".to_owned()));
        assert_eq!(decode_key(b"a%22b%0Ac%2C"), Ok("a\"b\nc,".to_owned()));
    }

    #[test]
    fn what_encodes_nothing_is_refused() {
        for bad in [&b""[..], b"a%", b"a%2", b"a%zz", b"a%+1", b"%ff", b"\xff"] {
            assert!(decode_key(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_key_comes_back(key in "\\PC{1,40}|[ +%&=\"\n,a-c/]{1,20}") {
            let encoded = utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(decode_key(encoded.as_bytes()), Ok(key.clone()));
            prop_assert_eq!(decode_key(encoded.replace("%20", "+").as_bytes()), Ok(key));
        }

        #[test]
        fn any_bytes_are_a_key_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _ = decode_key(&bytes);
        }
    }
}
