//! Chat endpoints: models behind OpenAI's `POST /v1/chat/completions`, as served by llama.cpp, Ollama, vLLM, Azure and
//! OpenAI. No part of a reply may be handed over before the whole reply is checked ([`wire`]).
//!
//! [`crate::http_client`] handles requests, retries and secrets.

mod wire;

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value, json};

use super::language_model::{LanguageModel, ModelReply, ReaderModelIdentity, TokenPrices};
use super::prompt::ChatPrompt;
use crate::embed::http::request_additions;
use crate::embed::http::{RequestAdditions, SuppliedValue};
use crate::environment::Environment;
use crate::http_client::{self, FIRST_RETRY_WAIT, JsonEndpoint, JsonRequestError};

/// Keys of the body that have a setting of their own, or would change the form of the reply.
pub const RESERVED_KEYS: [&str; 10] = [
    "model",
    "messages",
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "seed",
    "stream",
    "response_format",
    "stop",
];

/// Whether the server is asked for answers in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StructuredOutput {
    /// With `response_format` and the JSON schema of the field.
    JsonSchema,
    #[default]
    None,
}

impl StructuredOutput {
    pub fn name(self) -> &'static str {
        match self {
            StructuredOutput::JsonSchema => "json_schema",
            StructuredOutput::None => "none",
        }
    }
}

/// How several samples of one prompt are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SamplingMode {
    /// One request for all samples.
    N,
    /// One request for each sample, with consecutive seeds: few local servers support `n`.
    #[default]
    Seed,
}

/// The settings of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatEndpointSpec {
    /// The address; `/chat/completions` is appended unless it ends so.
    pub url: String,
    /// The endpoint's name of the model.
    pub model: String,
    /// The environment variable that holds the API key; `None` sends no key.
    pub api_key_env: Option<String>,
    /// Headers of each request.
    pub headers: RequestAdditions,
    /// Additional keys in the body of each request.
    pub body: RequestAdditions,
    pub temperature: f64,
    /// The maximum number of tokens in an answer.
    pub max_tokens: u32,
    /// The key of that limit: `max_tokens`, or `max_completion_tokens`, which newer OpenAI models require.
    pub max_tokens_key: &'static str,
    /// Samples drawn for each prompt.
    pub samples: u32,
    pub sample_by: SamplingMode,
    pub seed: u64,
    pub structured: StructuredOutput,
    /// Whether an answer that was truncated at `max_tokens` is accepted; otherwise it is an error.
    pub keep_cut: bool,
    /// For one request, from its start to the last byte of the reply.
    pub timeout: Duration,
    /// The maximum number of retries of a request that failed temporarily.
    pub retries: u32,
    /// The approximate wait before the first retry.
    pub first_wait: Duration,
    /// The maximum number of simultaneous requests.
    pub concurrency: usize,
    pub prices: Option<TokenPrices>,
}

impl ChatEndpointSpec {
    /// The defaults of a scenario.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> ChatEndpointSpec {
        ChatEndpointSpec {
            url: url.into(),
            model: model.into(),
            api_key_env: None,
            headers: RequestAdditions::new(),
            body: RequestAdditions::new(),
            temperature: 0.0,
            max_tokens: 256,
            max_tokens_key: "max_tokens",
            samples: 1,
            sample_by: SamplingMode::default(),
            seed: 1,
            structured: StructuredOutput::default(),
            keep_cut: false,
            timeout: Duration::from_secs(120),
            retries: 5,
            first_wait: FIRST_RETRY_WAIT,
            concurrency: 4,
            prices: None,
        }
    }

    /// Everything besides the prompt that determines an answer. The address is excluded, because a model is the same
    /// wherever it runs. Secrets are represented by the names of their variables.
    fn identity(&self) -> ReaderModelIdentity {
        let mut settings = Map::new();
        settings.insert("temperature".into(), json!(self.temperature));
        settings.insert("max_tokens".into(), json!(self.max_tokens));
        settings.insert("samples".into(), json!(self.samples));
        // At temperature 0 the seed has no effect.
        if self.temperature > 0.0 {
            settings.insert("seed".into(), json!(self.seed));
        }
        settings.insert("structured".into(), json!(self.structured.name()));
        let mut additions: Vec<&(String, SuppliedValue)> = self.body.iter().collect();
        additions.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, supplied) in additions {
            let value = match supplied {
                SuppliedValue::Written(value) if !http_client::names_a_secret(name) => {
                    value.clone()
                }
                SuppliedValue::Written(_) => json!("(secret)"),
                SuppliedValue::Variable(variable) => json!(format!("${variable}")),
            };
            settings.insert(format!("body.{name}"), value);
        }
        ReaderModelIdentity { model: self.model.clone(), settings }
    }
}

/// The URL for `url`: `/chat/completions` is appended unless it already ends so.
///
/// # Errors
/// A URL that is not http or https, or one that contains a password.
pub fn completions_url(url: &str) -> anyhow::Result<reqwest::Url> {
    let mut url = http_client::parse_address(url)?;
    let path = url.path().trim_end_matches('/').to_owned();
    if !path.ends_with("/chat/completions") {
        url.set_path(&format!("{path}/chat/completions"));
    }
    Ok(url)
}

/// A model at a chat endpoint.
pub struct ChatEndpoint {
    spec: ChatEndpointSpec,
    endpoint: reqwest::Url,
    environment: Environment,
    identity: ReaderModelIdentity,
}

impl ChatEndpoint {
    /// Checks the settings; sends nothing.
    ///
    /// # Errors
    /// A setting that is not allowed.
    pub fn new(spec: ChatEndpointSpec, environment: &Environment) -> anyhow::Result<ChatEndpoint> {
        let endpoint = completions_url(&spec.url)
            .with_context(|| format!("url {:?}", http_client::display_wrong_address(&spec.url)))?;
        ensure!(
            !spec.model.trim().is_empty(),
            "model is empty; a name that the endpoint knows is expected here"
        );
        for (name, value) in [
            ("samples", spec.samples as usize),
            ("max_tokens", spec.max_tokens as usize),
            ("concurrency", spec.concurrency),
        ] {
            ensure!(value > 0, "{name} is 0; at least 1 is allowed");
        }
        ensure!(
            (0.0..=2.0).contains(&spec.temperature),
            "temperature is {}; 0 to 2 is allowed",
            spec.temperature
        );
        ensure!(
            spec.samples == 1 || spec.temperature > 0.0,
            "samples is {} at temperature 0, where all samples are alike; allowed: samples 1, or a temperature \
             above 0",
            spec.samples
        );
        if let Some((name, _)) =
            spec.body.iter().find(|(name, _)| RESERVED_KEYS.contains(&name.as_str()))
        {
            bail!("body.{name} is not allowed: {}", reserved_key_hint(name));
        }
        if let Some((name, _)) = (spec.headers.iter()).find(|(name, _)| {
            crate::embed::http::RESERVED_HEADERS.contains(&name.to_lowercase().as_str())
        }) {
            bail!("headers.{name} is not allowed: it follows from the request");
        }
        let identity = spec.identity();
        Ok(ChatEndpoint { spec, endpoint, environment: environment.clone(), identity })
    }

    /// Checks that the secrets of its requests are set; sends nothing.
    ///
    /// # Errors
    /// An environment variable that is not set, or holds nothing that can be sent.
    pub fn check_secrets(&self) -> anyhow::Result<()> {
        self.json_endpoint().map(drop)
    }

    /// The HTTP endpoint, and the additional keys of each body.
    fn json_endpoint(&self) -> anyhow::Result<(JsonEndpoint, Map<String, Value>)> {
        let (spec, environment) = (&self.spec, &self.environment);
        let key = spec.api_key_env.as_deref().map(|name| environment.api_key(name)).transpose()?;
        let secrets = request_additions::secrets(
            key.as_deref(),
            &spec.headers,
            std::iter::once(&spec.body),
            environment,
        )?;
        let headers = http_client::headers(
            &request_additions::headers(&spec.headers, environment)?,
            key.as_deref(),
        )?;
        let line = JsonEndpoint {
            url: self.endpoint.clone(),
            timeout: spec.timeout,
            retries: spec.retries,
            first_wait: spec.first_wait,
            concurrency: spec.concurrency,
            headers,
            secrets,
            max_reply_bytes: wire::max_reply_bytes(spec),
        };
        Ok((line, request_additions::body(&spec.body, &RequestAdditions::new(), environment)?))
    }
}

fn reserved_key_hint(name: &str) -> &'static str {
    match name {
        "messages" => "it is made of the template",
        "stream" => "replies come in one piece",
        "response_format" => "use `structured`",
        "n" => "use `samples`",
        "stop" => "answers are read to their end",
        _ => "it is a setting of its own",
    }
}

impl LanguageModel for ChatEndpoint {
    fn identity(&self) -> &ReaderModelIdentity {
        &self.identity
    }

    fn complete(
        &self,
        prompts: &[&ChatPrompt],
        take: &mut dyn FnMut(usize, ModelReply) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (line, further) = self.json_endpoint()?;
        let spec = &self.spec;
        let requests = match spec.sample_by {
            SamplingMode::N => 1,
            SamplingMode::Seed => spec.samples as usize,
        };
        // Bodies are produced when their request starts, so the clock starts here.
        let starts = RefCell::new(HashMap::new());
        let bodies = (0..prompts.len() * requests).map(|at| {
            starts.borrow_mut().insert(at, Instant::now());
            let seed = spec.seed.wrapping_add((at % requests) as u64);
            wire::request_body(spec, prompts[at / requests], seed, &further)
        });
        // Samples of prompts that are still incomplete, with the index of their request.
        let mut parts: HashMap<usize, Vec<(usize, ModelReply)>> = HashMap::new();
        let mut broken = None;
        // The secrets of the URL's query too: an answer that repeats one must not be recorded.
        let secrets = line.secrets.clone().with_query_of(&line.url);
        let sent = line.post_all(bodies, |at, body| {
            let mut reply = wire::parse_reply(spec, body)?;
            let repeats = reply.answers.iter().any(|answer| {
                let text = &answer.text;
                secrets.redact_or_withhold(text, text.len()) != *text
            });
            if repeats {
                return Err(
                    "the answer repeats a secret of the request, so it is not stored".to_owned()
                );
            }
            reply.seconds =
                starts.borrow_mut().remove(&at).map_or(0.0, |start| start.elapsed().as_secs_f64());
            let prompt = at / requests;
            let there = parts.entry(prompt).or_default();
            there.push((at, reply));
            if there.len() < requests {
                return Ok(());
            }
            let mut whole = merge_replies(parts.remove(&prompt).unwrap_or_default());
            if let (Some(prices), Some(tokens_in), Some(tokens_out)) =
                (&spec.prices, whole.tokens_in, whole.tokens_out)
            {
                whole.cost = Some(prices.cost(tokens_in, tokens_out));
            }
            // `take` can fail for reasons of this machine, such as a full disk: its error is returned unchanged.
            take(prompt, whole).map_err(|error| {
                let what = error.to_string();
                broken.get_or_insert(error);
                what
            })
        })?;
        if let Some(error) = broken {
            return Err(error);
        }
        if let Err(JsonRequestError { index: at, reason: what }) = sent {
            bail!(
                "{}, model {:?}, question {} of {}: {what}\nThe answers to other questions are kept: the same command \
                 goes on from there.",
                line.display_address(),
                spec.model,
                at / requests + 1,
                prompts.len()
            );
        }
        Ok(())
    }
}

/// Merges the samples of several requests, in the order of the requests.
fn merge_replies(mut parts: Vec<(usize, ModelReply)>) -> ModelReply {
    parts.sort_by_key(|(at, _)| *at);
    let mut all = ModelReply { tokens_in: Some(0), tokens_out: Some(0), ..ModelReply::default() };
    for (_, part) in parts {
        all.tokens_in = added(all.tokens_in, part.tokens_in);
        all.tokens_out = added(all.tokens_out, part.tokens_out);
        // The requests ran concurrently.
        all.seconds = all.seconds.max(part.seconds);
        for answer in part.answers {
            for _ in 0..answer.count {
                all.add(answer.text.clone(), answer.finish);
            }
        }
    }
    all
}

fn added(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    Some(a?.saturating_add(b?))
}
