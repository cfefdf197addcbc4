//! The kind `chat`: a model behind an endpoint with OpenAI's chat API.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::LanguageModelSource;
use super::prompts::{PromptEntry, PromptsEntry};
use crate::embed::http::RESERVED_HEADERS;
use crate::read::{
    CHAT_RESERVED_KEYS, ChatEndpointSpec, SamplingMode, StructuredOutput, TokenPrices,
    completions_url,
};
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::request_additions::AdditionRules;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::{AnyYamlValue, NamedEntries, Spanned};

/// The upper limit of `max_tokens`.
const LARGEST_MAX_TOKENS: u32 = 1 << 17;
/// The upper limit of `samples`.
const MAX_SAMPLES: u32 = 1000;
/// The upper limit of `concurrency`: more than any service accepts.
const MAX_CONCURRENCY: u32 = 256;

/// Asks a model behind an endpoint with OpenAI's chat API: llama.cpp, Ollama, vLLM, Azure, OpenAI.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ChatReaderEntry {
    /// The endpoint's address; `/chat/completions` is appended unless it ends with that.
    url: Option<Spanned<String>>,
    /// The endpoint's name for the model.
    model: Option<Spanned<String>>,
    /// The environment variable that holds the key. Default: no key is sent.
    api_key_env: Option<Spanned<String>>,
    /// Headers of each request, by name: a text, or `{env: NAME}` for the value of an environment variable (a secret,
    /// such as Azure's `api-key`).
    headers: Option<Spanned<NamedEntries<AnyYamlValue>>>,
    /// Additional keys of each request's body: any value, or `{env: NAME}`.
    body: Option<Spanned<NamedEntries<AnyYamlValue>>>,
    /// The sampling temperature. Default: 0, the most likely answer.
    temperature: Option<Spanned<f64>>,
    /// Answers drawn for each prompt; more than one needs a temperature above 0. Default: 1.
    samples: Option<Spanned<u32>>,
    /// How several samples are requested: one after the other with a seed each (default), or all at once with `n`.
    sample_by: Option<SampleByEntry>,
    /// The seed of the first sample. Default: 1.
    seed: Option<u64>,
    /// The maximum number of tokens of an answer. Default: 256.
    max_tokens: Option<Spanned<u32>>,
    /// The key of that limit in requests. Default: max_tokens.
    max_tokens_key: Option<MaxTokensKeyEntry>,
    /// Request answers as JSON with a schema (`response_format`), which not every endpoint supports. Default: none.
    structured: Option<StructuredEntry>,
    /// The time limit of one attempt in seconds. Default: 120.
    timeout: Option<Spanned<f64>>,
    /// Retries after a transient failure. Default: 5.
    retries: Option<Spanned<u32>>,
    /// Concurrent requests. Default: 4.
    concurrency: Option<Spanned<u32>>,
    /// What the service charges. Default: no cost is computed.
    price: Option<TokenPricesEntry>,
    /// The file in which answers are recorded, relative to this file; `.jsonl.gz` is only replayed. Default:
    /// recordings/NAME.jsonl.
    pub recordings: Option<Spanned<String>>,
    /// The prompt. Default: a template of knockon's own.
    pub prompt: Option<Spanned<PromptEntry>>,
    /// Prompts by the type of the field, such as `date`, in place of `prompt`.
    pub prompts: Option<Spanned<PromptsEntry>>,
}

/// How several samples are requested.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum SampleByEntry {
    Seed,
    N,
}

/// The key of the limit on tokens.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum MaxTokensKeyEntry {
    MaxTokens,
    MaxCompletionTokens,
}

/// Whether answers are requested as JSON.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum StructuredEntry {
    JsonSchema,
    None,
}

/// Prices for a million tokens.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TokenPricesEntry {
    /// The code of the currency, such as USD.
    currency: Spanned<String>,
    /// Per million tokens of prompts.
    input: Spanned<f64>,
    /// Per million tokens of answers.
    output: Spanned<f64>,
}

impl ScenarioResolver<'_> {
    pub(super) fn chat_model(
        &mut self,
        name: &Spanned<String>,
        entry: &ChatReaderEntry,
    ) -> Option<LanguageModelSource> {
        let needed = [
            ("url", entry.url.is_some(), "the endpoint's address"),
            ("model", entry.model.is_some(), "as the endpoint calls it"),
        ];
        for (setting, _, what) in needed.into_iter().filter(|(_, given, _)| !given) {
            let message = format!("the reader `{}` has no `{setting}`", name.value);
            let label = format!("kind chat needs `{setting}`: {what}");
            self.report_missing_setting(name.span.clone(), message, label);
        }
        let rules = AdditionRules {
            reserved_headers: &RESERVED_HEADERS,
            reserved_body_keys: &CHAT_RESERVED_KEYS,
            body_label: "it has a setting of its own, or follows from the prompt",
            has_key: entry.api_key_env.is_some(),
        };
        let headers = rules.headers(&entry.headers, self);
        let body = rules.body("body", &entry.body, self);
        let (url, model) = (entry.url.as_ref(), entry.model.as_ref());
        if let Some(Err(error)) = url.map(|url| completions_url(&url.value)) {
            let span = url.map(|url| url.span.clone()).unwrap_or_default();
            let mistake = Diagnostic::new("bad-url", span, format!("{error:#}"));
            self.mistakes.push(mistake.label("such as https://api.openai.com/v1"));
        }
        if let Some(model) = model.filter(|model| model.value.trim().is_empty()) {
            let mistake = Diagnostic::new("empty-value", model.span.clone(), "`model` is empty");
            self.mistakes.push(mistake.label("a name that the endpoint knows"));
        }
        let default = ChatEndpointSpec::new(
            url.map_or("", |url| url.value.as_str()),
            model.map_or("", |model| model.value.as_str()),
        );
        if let Some(temperature) = &entry.temperature {
            self.check_range("temperature", temperature, 0.0, 2.0);
        }
        let temperature = entry.temperature.as_ref().map_or(0.0, |at| at.value);
        let samples = self.count_to("samples", &entry.samples, 1, MAX_SAMPLES) as u32;
        if let Some(at) = entry.samples.as_ref().filter(|_| samples > 1 && temperature <= 0.0) {
            let message = "`samples` is more than 1 at temperature 0, where all samples are alike";
            let mistake = Diagnostic::new("setting-unused", at.span.clone(), message);
            self.mistakes.push(mistake.label("give a `temperature` above 0, or leave this out"));
        }
        if let Some(timeout) = &entry.timeout {
            self.check_range("timeout", timeout, 0.1, 86_400.0);
        }
        let timeout = entry.timeout.as_ref().map_or(default.timeout, |at| {
            Duration::try_from_secs_f64(at.value).unwrap_or(default.timeout)
        });
        let spec = ChatEndpointSpec {
            api_key_env: self.variable_name("api_key_env", &entry.api_key_env),
            headers,
            body,
            temperature,
            samples,
            sample_by: match entry.sample_by {
                Some(SampleByEntry::N) => SamplingMode::N,
                Some(SampleByEntry::Seed) | None => SamplingMode::Seed,
            },
            seed: entry.seed.unwrap_or(default.seed),
            max_tokens: self.count_to(
                "max_tokens",
                &entry.max_tokens,
                default.max_tokens as usize,
                LARGEST_MAX_TOKENS,
            ) as u32,
            max_tokens_key: match entry.max_tokens_key {
                Some(MaxTokensKeyEntry::MaxCompletionTokens) => "max_completion_tokens",
                Some(MaxTokensKeyEntry::MaxTokens) | None => "max_tokens",
            },
            structured: match entry.structured {
                Some(StructuredEntry::JsonSchema) => StructuredOutput::JsonSchema,
                Some(StructuredEntry::None) | None => StructuredOutput::None,
            },
            timeout,
            retries: self.request_retries(&entry.retries, default.retries),
            concurrency: self.count_to(
                "concurrency",
                &entry.concurrency,
                default.concurrency,
                MAX_CONCURRENCY,
            ),
            prices: entry.price.as_ref().map(|price| self.token_prices(price)),
            // An answer that was cut off is recorded, and counts as one that cannot be read.
            keep_cut: true,
            ..default
        };
        (url.is_some() && model.is_some()).then(|| LanguageModelSource::Chat(Box::new(spec)))
    }

    fn token_prices(&mut self, entry: &TokenPricesEntry) -> TokenPrices {
        self.check_currency_code(&entry.currency.value, &entry.currency.span);
        self.check_range("input", &entry.input, 0.0, 1e9);
        self.check_range("output", &entry.output, 0.0, 1e9);
        TokenPrices {
            currency: entry.currency.value.clone(),
            input: entry.input.value,
            output: entry.output.value,
        }
    }
}
