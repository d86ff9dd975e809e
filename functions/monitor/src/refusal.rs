//! A service's refusal, and its class.

use std::error::Error;
use std::fmt;

use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
use scaling::class::Class;

/// A call that did not succeed: which, how it was answered, and the SDK's own error.
#[derive(Debug)]
pub struct Refusal {
    call: &'static str,
    status: Option<u16>,
    code: String,
    source: Box<dyn Error + Send + Sync>,
}

impl Refusal {
    /// Takes over an SDK error, of whichever service.
    pub fn new<E>(call: &'static str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        Self {
            call,
            status,
            code: error.code().unwrap_or_default().to_owned(),
            source: Box::new(error),
        }
    }

    /// What can be done about it.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::of(self.status, &self.code)
    }

    /// Whether this was the answer.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.call)?;
        if let Some(status) = self.status {
            write!(f, " answered {status}")?;
        }
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        Ok(())
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
