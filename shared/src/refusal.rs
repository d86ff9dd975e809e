//! A call of a service that did not succeed. What that means is for the function to say.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Which call, how it was answered, and the SDK's own error.
#[derive(Debug)]
pub struct Refusal {
    call: &'static str,
    status: Option<u16>,
    code: String,
    source: Box<dyn Error + Send + Sync>,
}

impl Refusal {
    /// Takes over an SDK error, of whichever service.
    pub fn new<E>(call: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        Self::answered(call, status, &code, error)
    }

    /// A call that was answered so, or, without a status, was not.
    pub fn answered(
        call: &'static str,
        status: Option<u16>,
        code: &str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            call,
            status,
            code: code.to_owned(),
            source: source.into(),
        }
    }

    /// HTTP status code; none if no answer came.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// The service's own word, or nothing.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_the_call_and_what_there_was_of_an_answer() {
        for (status, code, words) in [
            (
                Some(403),
                "AccessDenied",
                "GetItem answered 403 AccessDenied",
            ),
            (Some(404), "", "GetItem answered 404"),
            (None, "", "GetItem"),
        ] {
            let refusal = Refusal::answered("GetItem", status, code, "why");
            assert_eq!(refusal.to_string(), words);
            assert_eq!(refusal.source().unwrap().to_string(), "why");
        }
    }
}
