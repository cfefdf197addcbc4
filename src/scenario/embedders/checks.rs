//! Checks that the settings of several kinds share.

use super::EmbedderEntryContext;
use crate::environment::{NO_VARIABLE_NAME, is_variable_name};
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;

/// The upper limit of `dim`: more than any model has.
pub(super) const MAX_DIMENSION: u32 = 1 << 16;
/// The default timeout of a request to a search service or database, in seconds.
pub(super) const DEFAULT_TIMEOUT_SECONDS: f64 = 30.0;

// Upper limits on concurrent requests and retries: more than any service accepts.
pub(super) const MAX_CONCURRENCY: u32 = 256;
const MAX_RETRIES: u32 = 100;

/// The text of a setting.
pub(super) fn text(setting: &Option<Spanned<String>>) -> Option<String> {
    setting.as_ref().map(|at| at.value.clone())
}

impl ScenarioResolver<'_> {
    /// A number from 0 to `high`, or the default.
    pub(super) fn number(
        &mut self,
        what: &str,
        number: &Option<Spanned<f64>>,
        default: f64,
        high: f64,
    ) -> f64 {
        number.as_ref().map_or(default, |number| {
            self.check_range(what, number, 0.0, high);
            number.value
        })
    }

    /// A count of at least 1, or the default.
    pub(super) fn count(
        &mut self,
        what: &str,
        count: &Option<Spanned<u32>>,
        default: usize,
    ) -> usize {
        count.as_ref().map_or(default, |count| {
            self.check_at_least_one(what, count);
            count.value as usize
        })
    }

    /// A count from 1 to `most`, or the default.
    pub(in crate::scenario) fn count_to(
        &mut self,
        what: &str,
        count: &Option<Spanned<u32>>,
        default: usize,
        most: u32,
    ) -> usize {
        count.as_ref().map_or(default, |count| {
            let number = Spanned { value: f64::from(count.value), span: count.span.clone() };
            self.check_range(what, &number, 1.0, f64::from(most));
            count.value as usize
        })
    }

    /// The name of an environment variable. Anything else is a mistake that is not quoted: it may be the key itself.
    pub(in crate::scenario) fn variable_name(
        &mut self,
        setting: &str,
        written: &Option<Spanned<String>>,
    ) -> Option<String> {
        let written = written.as_ref()?;
        if is_variable_name(&written.value) {
            return Some(written.value.clone());
        }
        let message = format!("`{setting}` holds {NO_VARIABLE_NAME}");
        let mistake = Diagnostic::new("out-of-range", written.span.clone(), message);
        self.mistakes.push(mistake.label("allowed: the name of the variable, as in MY_KEY"));
        None
    }

    /// The number of retries as written, or the default.
    pub(in crate::scenario) fn request_retries(
        &mut self,
        retries: &Option<Spanned<u32>>,
        default: u32,
    ) -> u32 {
        let Some(retries) = retries else { return default };
        let number = Spanned { value: f64::from(retries.value), span: retries.span.clone() };
        self.check_range("retries", &number, 0.0, f64::from(MAX_RETRIES));
        retries.value
    }

    /// The index of an embedder that a setting names. An unknown name is reported.
    pub(super) fn embedder_index(
        &mut self,
        name: &Spanned<String>,
        entry: &EmbedderEntryContext,
    ) -> Option<usize> {
        self.resolve_name("embedder", "unknown-embedder", name, entry.names)
    }

    /// Reports that an embedder lacks a setting that its kind needs.
    pub(in crate::scenario) fn report_missing_setting(
        &mut self,
        span: std::ops::Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
    ) {
        self.mistakes.push(Diagnostic::new("missing-key", span, message).label(label));
    }

    /// Reports a setting that has no effect because of another one.
    pub(super) fn report_unused<T>(
        &mut self,
        setting: &Spanned<T>,
        message: impl Into<String>,
        label: impl Into<String>,
    ) {
        self.mistakes
            .push(Diagnostic::new("setting-unused", setting.span.clone(), message).label(label));
    }
}
