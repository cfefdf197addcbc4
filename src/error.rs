//! The errors of the documented methods, by what can be done about them.

use std::error::Error as StdError;
use std::fmt;

use crate::cascade::inject::InjectionRequestError;
use crate::expr::EvalError;
use crate::output::WriteRefused;
use crate::progress::WorkCancelled;
use crate::retrieve::RetrievalError;
use crate::run::search_preview::SearchPreviewError;
use crate::scenario::{Diagnostics, UnsolvableScenario};
use crate::session::UnknownName;
use crate::step::oracle::OracleError;

/// Why a question to a [`Session`](crate::Session) has no answer, or a report was not written.
///
/// All but [`Error::Internal`] can be put right by the caller. The alternate form `{:#}` also shows the causes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Mistakes in the scenario or its data files, and models and keys that are missing: all that can be known before
    /// anything is embedded.
    #[error(transparent)]
    Scenario(#[from] Diagnostics),
    /// The scenario is sound, but cannot be solved as it asks: too many joint states for `method: exact`, a gold rule or
    /// a loss without a value for some task.
    #[error(transparent)]
    Unsolvable(ErrorDetail),
    /// A name that the scenario does not have.
    #[error(transparent)]
    UnknownName(#[from] UnknownName),
    /// A question that does not fit the scenario, such as the search of a step that does not retrieve.
    #[error(transparent)]
    Request(ErrorDetail),
    /// A model, a service, a cache or a retriever of the caller's own that cannot be opened or does not answer.
    #[error(transparent)]
    Retrieval(ErrorDetail),
    /// The progress listener asked for the end of the work.
    #[error(transparent)]
    Cancelled(#[from] WorkCancelled),
    /// A file that may not be replaced, or a folder that cannot be written.
    #[error(transparent)]
    Write(ErrorDetail),
    /// Anything else: a defect of knockon, or a machine that fails.
    #[error(transparent)]
    Internal(ErrorDetail),
}

/// What went wrong, with its causes.
pub struct ErrorDetail(anyhow::Error);

impl fmt::Debug for ErrorDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for ErrorDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl StdError for ErrorDetail {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

impl Error {
    /// Tells the kind of an error by its causes.
    pub(crate) fn classify(error: anyhow::Error) -> Error {
        // Only errors without context are passed on as what they are: context is part of the message.
        let error = match unwrapped::<Diagnostics>(error).map(Error::Scenario) {
            Ok(known) => return known,
            Err(error) => error,
        };
        let error = match unwrapped::<UnknownName>(error).map(Error::UnknownName) {
            Ok(known) => return known,
            Err(error) => error,
        };
        if is_caused_by::<WorkCancelled>(&error) {
            return Error::Cancelled(WorkCancelled);
        }
        let kind = if is_caused_by::<RetrievalError>(&error) {
            Error::Retrieval
        } else if is_caused_by::<UnsolvableScenario>(&error)
            || is_caused_by::<OracleError>(&error)
            || is_caused_by::<EvalError>(&error)
        {
            Error::Unsolvable
        } else if is_caused_by::<InjectionRequestError>(&error)
            || is_caused_by::<SearchPreviewError>(&error)
        {
            Error::Request
        } else if is_caused_by::<WriteRefused>(&error) {
            Error::Write
        } else {
            Error::Internal
        };
        kind(ErrorDetail(error))
    }

    /// An error of writing files.
    pub(crate) fn writing(error: anyhow::Error) -> Error {
        Error::Write(ErrorDetail(error))
    }
}

/// The error as a `T`, if it is one without context.
fn unwrapped<T: StdError + Send + Sync + 'static>(
    error: anyhow::Error,
) -> Result<T, anyhow::Error> {
    let bare = error.chain().next().is_some_and(|outermost| outermost.is::<T>());
    if bare { error.downcast() } else { Err(error) }
}

fn is_caused_by<T: StdError + 'static>(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<T>())
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn errors_are_told_apart_by_their_causes_and_keep_their_messages() {
        let name = || UnknownName { what: "arm", name: "x".to_owned(), known: String::new() };
        let refused =
            || RetrievalError::wrap(anyhow::anyhow!("connection refused").context("asking"));
        let cancelled = RetrievalError::wrap(WorkCancelled.into());
        assert!(matches!(Error::classify(cancelled), Error::Cancelled(_)));
        let bare = Error::classify(name().into());
        assert!(matches!(&bare, Error::UnknownName(_)) && bare.to_string() == "no arm 'x'");
        let unsolvable = UnsolvableScenario("too many states".to_owned());
        assert!(matches!(Error::classify(unsolvable.into()), Error::Unsolvable(_)));
        let ours = Error::classify(anyhow::anyhow!("a bug"));
        assert!(matches!(ours, Error::Internal(_)));
        let found = Error::classify(Err::<(), _>(refused()).context("embedder 'a'").unwrap_err());
        assert!(matches!(found, Error::Retrieval(_)));
        assert_eq!(found.to_string(), "embedder 'a'");
        assert_eq!(format!("{found:#}"), "embedder 'a': asking: connection refused");
        let again = anyhow::Error::new(found);
        assert_eq!(format!("{again:#}"), "embedder 'a': asking: connection refused");
    }
}
