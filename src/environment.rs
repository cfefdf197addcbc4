//! What the library is told about the machine that it runs on: folders of models and of the cache, the address of the
//! hub, and secrets. Nothing else in the library reads an environment variable.

use std::collections::BTreeMap;
use std::env::VarError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};

/// Environment variable that sets the folder of pulled models.
pub const MODELS_VARIABLE: &str = "KNOCKON_MODELS";

/// Environment variable that sets the folder of cached vectors, scores and answers.
pub const CACHE_VARIABLE: &str = "KNOCKON_CACHE";

/// Environment variable that sets another address for the hub.
pub const HUB_VARIABLE: &str = "HF_ENDPOINT";

/// The hub from which models are pulled by default.
const DEFAULT_HUB: &str = "https://huggingface.co";

/// What is wrong with a text that is not quoted, since it may be a secret.
pub(crate) const NO_VARIABLE_NAME: &str =
    "no name of an environment variable, which has letters, digits and _ and begins with no digit";

/// Whether this can be the name of an environment variable: letters, digits and `_`, no digit at the beginning. What
/// stands in place of a name may be the secret itself, so a message quotes only what is a name.
pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Finds a secret by the name that a scenario gives to it; an error says what is wrong with it.
type SecretLookup = dyn Fn(&str) -> Result<Option<String>, &'static str> + Send + Sync;

/// The folders, the hub's address and the secrets that models and services need.
///
/// [`Environment::new`] knows nothing, so that a program decides by itself what a scenario may use;
/// [`Environment::from_process`] is that of the command line.
///
/// ```
/// use knockon::Environment;
///
/// let environment = Environment::new()
///     .with_cache_folder("/var/cache/desk")
///     .with_secrets([("EMBEDDING_KEY", "sk-123")]);
/// ```
#[derive(Clone)]
pub struct Environment {
    models: Option<PathBuf>,
    cache: Option<PathBuf>,
    /// For vectors, scores and answers only, in place of `cache`.
    answers: Option<PathBuf>,
    hub: String,
    secrets: Arc<SecretLookup>,
}

impl Default for Environment {
    fn default() -> Environment {
        Environment::new()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Environment { models, cache, answers, hub, secrets: _ } = self;
        f.debug_struct("Environment")
            .field("models", models)
            .field("cache", cache)
            .field("answers", answers)
            .field("hub", hub)
            .finish_non_exhaustive()
    }
}

impl Environment {
    /// No folders and no secrets. Models are found below `models/` in the working directory and by their paths; those
    /// that travel with the library need a cache folder, into which they are unpacked.
    pub fn new() -> Environment {
        Environment {
            models: None,
            cache: None,
            answers: None,
            hub: DEFAULT_HUB.to_owned(),
            secrets: Arc::new(|_| Ok(None)),
        }
    }

    /// The environment of the command line: `$KNOCKON_MODELS`, `$KNOCKON_CACHE` (else `knockon` in the user's cache
    /// folder), `$HF_ENDPOINT`, and as secrets the environment variables, each read when it is needed.
    pub fn from_process() -> Environment {
        let hub = std::env::var(HUB_VARIABLE).unwrap_or_else(|_| DEFAULT_HUB.to_owned());
        Environment {
            models: folder_variable(MODELS_VARIABLE),
            cache: user_cache_folder(),
            answers: None,
            hub: hub.trim_end_matches('/').to_owned(),
            secrets: Arc::new(process_variable),
        }
    }

    /// Looks for pulled models in this folder only.
    #[must_use]
    pub fn with_models_folder(mut self, folder: impl Into<PathBuf>) -> Environment {
        self.models = Some(folder.into());
        self
    }

    /// Caches vectors, scores and answers in this folder, and unpacks the models of the library into it. It need not
    /// exist yet. Only the caller should be able to write to it, since what it holds is trusted.
    #[must_use]
    pub fn with_cache_folder(mut self, folder: impl Into<PathBuf>) -> Environment {
        self.cache = Some(folder.into());
        self
    }

    /// Caches vectors, scores and answers here; models stay in the cache folder.
    #[must_use]
    pub(crate) fn with_answers_folder(mut self, folder: PathBuf) -> Environment {
        self.answers = Some(folder);
        self
    }

    /// Pulls models from the hub at this address.
    #[must_use]
    pub fn with_hub(mut self, address: impl Into<String>) -> Environment {
        self.hub = address.into().trim_end_matches('/').to_owned();
        self
    }

    /// Secrets by their names, which scenarios give as `api_key_env`, `url_env` or `{env: NAME}`.
    #[must_use]
    pub fn with_secrets<N: Into<String>, S: Into<String>>(
        self,
        secrets: impl IntoIterator<Item = (N, S)>,
    ) -> Environment {
        let secrets: BTreeMap<String, String> =
            secrets.into_iter().map(|(name, secret)| (name.into(), secret.into())).collect();
        self.with_secret_lookup(move |name| secrets.get(name).cloned())
    }

    /// As [`Environment::with_secrets`], with a function that finds a secret by its name whenever it is needed.
    #[must_use]
    pub fn with_secret_lookup(
        mut self,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Environment {
        self.secrets = Arc::new(move |name| Ok(lookup(name)));
        self
    }

    /// The only folder of pulled models, if it is set.
    pub(crate) fn models_folder(&self) -> Option<&Path> {
        self.models.as_deref()
    }

    /// The folder of the cache. It need not exist yet.
    ///
    /// # Errors
    /// None is known.
    pub(crate) fn cache_folder(&self) -> anyhow::Result<&Path> {
        self.cache.as_deref().with_context(no_cache_message)
    }

    /// The folder of cached vectors, scores and answers. It need not exist yet.
    ///
    /// # Errors
    /// None is known.
    pub(crate) fn answers_folder(&self) -> anyhow::Result<&Path> {
        self.known_answers_folder().with_context(no_cache_message)
    }

    /// As [`Environment::answers_folder`]; `None` if none is known, for what may be left uncached.
    pub(crate) fn known_answers_folder(&self) -> Option<&Path> {
        self.answers.as_deref().or(self.cache.as_deref())
    }

    /// The hub's address, without a slash at its end.
    pub(crate) fn hub(&self) -> &str {
        &self.hub
    }

    /// A secret as it is; `None` if there is none of that name.
    ///
    /// # Errors
    /// What is wrong with it, to follow its name.
    pub(crate) fn secret(&self, name: &str) -> Result<Option<String>, &'static str> {
        (self.secrets)(name)
    }

    /// The trimmed value of a secret.
    ///
    /// # Errors
    /// There is none of that name, it is blank or not UTF-8, or this is no name.
    pub(crate) fn variable(&self, name: &str) -> anyhow::Result<String> {
        ensure!(is_variable_name(name), "`env` holds {NO_VARIABLE_NAME}");
        let text =
            self.secret(name).map_err(|why| anyhow!("the environment variable {name} {why}"))?;
        let text = text.unwrap_or_default().trim().to_owned();
        ensure!(!text.is_empty(), "the environment variable {name} holds nothing");
        Ok(text)
    }

    /// The key in the environment variable that `api_key_env` names.
    ///
    /// # Errors
    /// As [`Environment::variable`].
    pub(crate) fn api_key(&self, variable: &str) -> anyhow::Result<String> {
        ensure!(is_variable_name(variable), "`api_key_env` holds {NO_VARIABLE_NAME}");
        let named = format!("the environment variable {variable} (api_key_env)");
        let key = self.secret(variable).map_err(|why| anyhow!("{named} {why}"))?;
        let key = key.unwrap_or_default().trim().to_owned();
        ensure!(!key.is_empty(), "{named} holds no key");
        Ok(key)
    }
}

/// The value of an environment variable of this process.
fn process_variable(name: &str) -> Result<Option<String>, &'static str> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err("holds bytes that are not UTF-8"),
    }
}

fn no_cache_message() -> String {
    format!(
        "no place for the cache is known: there is no home directory; set {CACHE_VARIABLE} to a directory"
    )
}

/// The folder that a variable names; `None` if it is unset or empty.
fn folder_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// `$KNOCKON_CACHE`, else `knockon` in the user's cache folder; `None` for a user without a home directory. The shared
/// temporary directory is never used, because other users could have put files there.
fn user_cache_folder() -> Option<PathBuf> {
    folder_variable(CACHE_VARIABLE)
        // The XDG Base Directory Specification requires relative paths to be ignored.
        .or_else(|| cache_below(folder_variable("XDG_CACHE_HOME").filter(|dir| dir.is_absolute())))
        .or_else(|| cache_below(folder_variable("LOCALAPPDATA").filter(|_| cfg!(windows))))
        .or_else(|| {
            let home = std::env::home_dir().filter(|home| home.is_absolute());
            cache_below(home.map(|home| home.join(".cache")))
        })
}

fn cache_below(folder: Option<PathBuf>) -> Option<PathBuf> {
    folder.map(|folder| folder.join("knockon"))
}
