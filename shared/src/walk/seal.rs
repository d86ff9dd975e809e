//! Text that is handed out and comes back: version, checksum, content. What was cut off or edited is noticed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::token::TokenError;

/// The form of what is sealed. A reader of another form refuses.
pub(super) const VERSION: u32 = 1;

/// Bytes of the checksum that are written.
const CHECKSUM_BYTES: usize = 16;

/// One line of letters, digits, `-`, `_` and `.`.
pub fn seal(content: &impl Serialize) -> Result<String, TokenError> {
    let json = serde_json::to_vec(content).map_err(|_| TokenError::Damaged("counts"))?;
    let content = URL_SAFE_NO_PAD.encode(json);
    Ok(format!("{VERSION}.{}.{content}", checksum(&content)))
}

/// What was sealed; anything else is an error.
pub fn unseal<T: DeserializeOwned>(text: &str) -> Result<T, TokenError> {
    let (version, rest) = text
        .split_once('.')
        .ok_or(TokenError::Damaged("no version"))?;
    let found = version
        .parse()
        .map_err(|_| TokenError::Damaged("no version"))?;
    if found != VERSION {
        return Err(TokenError::Version { found });
    }
    let (expected, content) = rest
        .split_once('.')
        .ok_or(TokenError::Damaged("no checksum"))?;
    if checksum(content) != expected {
        return Err(TokenError::Damaged("checksum"));
    }
    let json = URL_SAFE_NO_PAD
        .decode(content)
        .map_err(|_| TokenError::Damaged("encoding"))?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Damaged("content"))
}

/// Letters, digits, `-` and `_`.
#[must_use]
pub fn checksum(content: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(content.as_bytes())[..CHECKSUM_BYTES])
}
