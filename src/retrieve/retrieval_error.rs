//! Marks the errors of models, services and caches, so that they can be told from those of the scenario and our own.

use std::error::Error;
use std::fmt;

use crate::progress::WorkCancelled;

/// An error of opening or asking a retriever; shown as the error that it marks.
pub struct RetrievalError(anyhow::Error);

impl RetrievalError {
    /// Marks an error, unless it only says that the work was cancelled.
    pub fn wrap(error: anyhow::Error) -> anyhow::Error {
        if error.is::<WorkCancelled>() { error } else { anyhow::Error::new(RetrievalError(error)) }
    }
}

impl fmt::Debug for RetrievalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for RetrievalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for RetrievalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
