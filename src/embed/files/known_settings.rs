//! The known settings of each file of a model directory, and how each one is handled.
//!
//! Sources: `PretrainedConfig` and the configurations of BERT, RoBERTa, XLM-RoBERTa, CamemBERT, MPNet and
//! ModernBERT in transformers 4 and 5; the modules' `config_keys` in sentence-transformers 2 to 6; `LoraConfig` of
//! PEFT 0.21; model2vec 0.10; PyLate 1.6; `ColBERTConfig` of Stanford's ColBERT 0.2.

use super::purpose::LoadPurpose;
use super::settings::KnownSettings;
use super::settings::SettingHandling::{Applied, MustBeUnset, OneOf, Typed, WithoutEffect};
use super::settings::SettingType::{Count, Flag, Index, Object, Text, TextList, UpTo, Within};

/// The epsilon of layer norms: 1e-12 to 1e-5 in all known models.
const EPSILON: super::settings::SettingType = UpTo(0.1);
/// The base of rotary angles: 10,000 to some millions.
const THETA: super::settings::SettingType = Within(1.0, 1e12);

/// Settings in the config.json of any transformer.
pub const ANY_CONFIG: KnownSettings = &[
    (
        &[
            "vocab_size",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "max_position_embeddings",
            // Settings of classification heads.
            "num_labels",
            "_num_labels",
        ],
        Typed(Count),
    ),
    (&["pad_token_id"], Typed(Index)),
    (&["architectures"], Typed(TextList)),
    (&["id2label", "label2id"], Typed(Object)),
    // `pair` is an extension of knockon: how a cross-encoder joins two texts.
    (&["model_type", "pair"], Typed(Text)),
    (
        &[
            "_attn_implementation",
            "_attn_implementation_autoset",
            "_attn_implementation_internal",
            "_commit_hash",
            "_name_or_path",
            "attention_dropout",
            "attention_probs_dropout_prob",
            "attn_implementation",
            "bad_words_ids",
            "begin_suppress_tokens",
            "bos_token_id",
            "chunk_size_feed_forward",
            "classifier_dropout",
            "cls_token_id",
            "decoder_start_token_id",
            "diversity_penalty",
            "do_sample",
            "dtype",
            "early_stopping",
            "encoder_no_repeat_ngram_size",
            "eos_token_id",
            "exponential_decay_length_penalty",
            "export_model_type",
            "finetuning_task",
            "forced_bos_token_id",
            "forced_eos_token_id",
            "gradient_checkpointing",
            "hidden_dropout_prob",
            "initializer_range",
            "length_penalty",
            "mask_token_id",
            "max_length",
            "min_length",
            "no_repeat_ngram_size",
            "num_beam_groups",
            "num_beams",
            "num_return_sequences",
            "output_attentions",
            "output_hidden_states",
            "output_past",
            "output_scores",
            "prefix",
            "problem_type",
            "remove_invalid_values",
            "repetition_penalty",
            "return_dict",
            "return_dict_in_generate",
            "sep_token_id",
            "suppress_tokens",
            "task_specific_params",
            "temperature",
            "tf_legacy_loss",
            "tie_encoder_decoder",
            "tie_word_embeddings",
            "tokenizer_class",
            "top_k",
            "top_p",
            "torch_dtype",
            "torchscript",
            "transformers.js_config",
            "transformers_version",
            "typical_p",
            "use_bfloat16",
            "use_cache",
            "xla_device",
        ],
        WithoutEffect,
    ),
    (
        &[
            "adapters",
            "add_cross_attention",
            // Python code shipped with the model, which cannot be run here.
            "auto_map",
            "cross_attention_hidden_size",
            "is_causal",
            "is_decoder",
            "is_encoder_decoder",
            "pruned_heads",
            "quantization_config",
            "rope_scaling",
        ],
        MustBeUnset,
    ),
    // Scores are the logits; these activations are monotonic, so the ranking is the same.
    (&["sbert_ce_default_activation_function"], OneOf(ACTIVATIONS_THAT_KEEP_ORDER)),
    (&["sentence_transformers"], Applied),
];

pub const ACTIVATIONS_THAT_KEEP_ORDER: &[&str] = &[
    "torch.nn.modules.linear.Identity",
    "torch.nn.modules.activation.Sigmoid",
    "torch.nn.Identity",
    "torch.nn.Sigmoid",
];

/// Settings of a cross-encoder under `sentence_transformers` in config.json.
pub const CROSS_ENCODER_NOTE: KnownSettings =
    &[(&["activation_fn"], OneOf(ACTIVATIONS_THAT_KEEP_ORDER)), (&["version"], WithoutEffect)];

pub const BERT_CONFIG: KnownSettings = &[
    (&["hidden_act", "position_embedding_type"], Typed(Text)),
    (&["layer_norm_eps"], Typed(EPSILON)),
    (&["type_vocab_size"], Typed(Count)),
    (
        &[
            // Settings of the pooler, which no pooling here uses.
            "directionality",
            "pooler_fc_size",
            "pooler_num_attention_heads",
            "pooler_num_fc_layers",
            "pooler_size_per_head",
            "pooler_type",
        ],
        WithoutEffect,
    ),
];

pub const MPNET_CONFIG: KnownSettings = &[
    (&["hidden_act", "position_embedding_type"], Typed(Text)),
    (&["layer_norm_eps"], Typed(EPSILON)),
    (&["relative_attention_num_buckets"], Typed(Count)),
];

pub const MODERN_CONFIG: KnownSettings = &[
    (&["hidden_activation", "classifier_activation", "classifier_pooling"], Typed(Text)),
    (&["norm_eps"], Typed(EPSILON)),
    (&["global_attn_every_n_layers", "local_attention"], Typed(Count)),
    (&["global_rope_theta", "local_rope_theta"], Typed(THETA)),
    (&["layer_types"], Typed(TextList)),
    (&["rope_parameters"], Typed(Object)),
    (&["attention_bias", "mlp_bias", "norm_bias", "classifier_bias"], Typed(Flag)),
    (
        &[
            "decoder_bias",
            "deterministic_flash_attn",
            "embedding_dropout",
            "initializer_cutoff_factor",
            // Written into ModernBERT's files, but read by no library.
            "layer_norm_eps",
            "position_embedding_type",
            "mlp_dropout",
            "reference_compile",
            "repad_logits_with_grad",
            "sparse_pred_ignore_index",
            "sparse_prediction",
        ],
        WithoutEffect,
    ),
];

/// ModernBERT's `rope_parameters`, by kind of layer.
pub const ROPE_PARAMETERS: KnownSettings =
    &[(&["full_attention", "sliding_attention"], Typed(Object))];

/// The settings of one kind of layer in `rope_parameters`.
pub const ROPE: KnownSettings =
    &[(&["rope_theta"], Typed(THETA)), (&["rope_type"], OneOf(&["default"]))];

/// Settings in the config.json of model2vec.
pub const MODEL2VEC_CONFIG: KnownSettings = &[
    (&["model_type"], Typed(Text)),
    (&["max_length"], Typed(Count)),
    (
        &[
            "apply_pca",
            "apply_zipf",
            "architectures",
            "base_model_name",
            "embedding_dtype",
            "hidden_dim",
            "language",
            // Vectors are normalised in any case.
            "normalize",
            "pooling",
            // Written by distillation; model2vec truncates at `max_length`.
            "seq_length",
            "sif_coefficient",
            "token_remove_pattern",
            "tokenizer_name",
            "vocabulary_quantization",
        ],
        WithoutEffect,
    ),
];

pub const SENTENCE_TRANSFORMERS: KnownSettings = &[
    (
        &["prompts", "default_prompt_name", "similarity_fn_name", "model_type", "truncate_dim"],
        Applied,
    ),
    (&["__version__"], WithoutEffect),
];

/// Settings that PyLate adds to config_sentence_transformers.json.
pub const PYLATE: [&str; 7] = [
    "query_prefix",
    "document_prefix",
    "query_length",
    "document_length",
    "attend_to_expansion_tokens",
    "do_query_expansion",
    "skiplist_words",
];

pub const PYLATE_SETTINGS: KnownSettings = &[(&PYLATE, Applied)];

/// Settings that a cross-encoder of sentence-transformers 6 adds to config_sentence_transformers.json.
pub const CROSS_ENCODER_SETTINGS: KnownSettings =
    &[(&["activation_fn"], OneOf(ACTIVATIONS_THAT_KEEP_ORDER))];

pub const SENTENCE_BERT: KnownSettings = &[
    (&["max_seq_length", "do_lower_case", "transformer_task", "modality_config"], Applied),
    (&["unpad_inputs"], WithoutEffect),
    (&["module_output_name"], OneOf(&["token_embeddings", "scores", "logits"])),
    (
        &[
            "config_args",
            "config_kwargs",
            "document_length",
            "model_args",
            "model_kwargs",
            "processing_kwargs",
            "processor_kwargs",
            "query_expansion",
            "query_length",
            "tokenizer_args",
            "tokenizer_name_or_path",
        ],
        MustBeUnset,
    ),
];

/// The possible names of the file, in the order in which sentence-transformers looks for them; the first match is used.
pub const SENTENCE_BERT_NAMES: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

pub const MODULE: KnownSettings = &[
    (&["type", "path"], Typed(Text)),
    (&["idx", "name"], WithoutEffect),
    (&["kwargs"], MustBeUnset),
];

pub const POOLING: KnownSettings = &[(
    &[
        "embedding_dimension",
        "include_prompt",
        "pooling_mode",
        "pooling_mode_cls_token",
        "pooling_mode_lasttoken",
        "pooling_mode_max_tokens",
        "pooling_mode_mean_sqrt_len_tokens",
        "pooling_mode_mean_tokens",
        "pooling_mode_weightedmean_tokens",
        "word_embedding_dimension",
    ],
    Applied,
)];

pub const DENSE: KnownSettings = &[(
    &[
        "activation_function",
        "bias",
        "in_features",
        "module_input_name",
        "module_output_name",
        "out_features",
        "use_residual",
    ],
    Applied,
)];

pub const LAYER_NORM: KnownSettings = &[(&["dimension"], Typed(Count))];

pub const NORMALIZE: KnownSettings = &[(&["module_input_name", "module_output_name"], Applied)];

pub const DROPOUT: KnownSettings = &[(&["dropout"], WithoutEffect)];

const SPECIAL_TOKENS: [&str; 9] = [
    "additional_special_tokens",
    "bos_token",
    "cls_token",
    "eos_token",
    "extra_special_tokens",
    "mask_token",
    "pad_token",
    "sep_token",
    "unk_token",
];

/// Settings in special_tokens_map.json: the names of tokens in tokenizer.json.
pub const SPECIAL_TOKENS_MAP: KnownSettings = &[(&SPECIAL_TOKENS, Applied)];

pub const TOKENIZER: KnownSettings = &[
    (&SPECIAL_TOKENS, Applied),
    (
        &["add_prefix_space", "do_lower_case", "strip_accents", "tokenize_chinese_chars"],
        Typed(Flag),
    ),
    (&["added_tokens_decoder"], Typed(Object)),
    (&["model_max_length"], Typed(Count)),
    (&["truncation_side"], Typed(Text)),
    (
        &[
            "_commit_hash",
            "auto_map",
            "backend",
            "chat_template",
            "clean_up_tokenization_spaces",
            "do_basic_tokenize",
            "errors",
            "fast_tokenizer_files",
            "full_tokenizer_file",
            "is_local",
            "legacy",
            "local_files_only",
            "max_length",
            "max_len",
            "model_input_names",
            "name_or_path",
            "pad_to_multiple_of",
            "pad_token_type_id",
            // Texts are never padded here.
            "padding_side",
            "processor_class",
            "return_token_type_ids",
            "sp_model_kwargs",
            "special_tokens_map_file",
            "tokenizer_class",
            "tokenizer_file",
            "transformers_version",
            "trim_offsets",
            "use_fast",
            "vocab_file",
            "vocab_size",
            "wordpieces_prefix",
        ],
        WithoutEffect,
    ),
    (&["truncation_strategy"], OneOf(&["longest_first"])),
    (&["add_bos_token", "add_eos_token", "never_split", "split_special_tokens"], MustBeUnset),
    // The stride of windows over a long text; only the first window is ever read.
    (&["stride"], WithoutEffect),
];

/// The parts of tokenizer.json. Their contents are compared with the tokenizer loaded from them, see
/// [`crate::embed::model_tokenizer`].
pub const TOKENIZER_PARTS: KnownSettings = &[(
    &[
        "added_tokens",
        "decoder",
        "model",
        "normalizer",
        "padding",
        "post_processor",
        "pre_tokenizer",
        "truncation",
        "version",
    ],
    Applied,
)];

/// Settings in adapter_config.json.
pub const LORA: KnownSettings = &[
    (&["base_model_name_or_path", "peft_type"], Typed(Text)),
    (&["init_lora_weights"], Applied),
    (&["r"], Typed(Count)),
    (&["lora_alpha"], Typed(UpTo(1e6))),
    (&["use_rslora"], Typed(Flag)),
    (
        &[
            "auto_mapping",
            // Which weights were tuned follows from the adapter's tensors.
            "exclude_modules",
            "inference_mode",
            "layers_pattern",
            "layers_to_transform",
            "lora_dropout",
            "peft_version",
            "qalora_group_size",
            "revision",
            "target_modules",
            "task_type",
            // Settings of training.
            "ensure_weight_tying",
            "eva_config",
            "megatron_core",
            "runtime_config",
            "velora_config",
        ],
        WithoutEffect,
    ),
    (&["bias"], OneOf(&["none"])),
    (
        &[
            "alora_invocation_tokens",
            "alpha_pattern",
            "arrow_config",
            "corda_config",
            "fan_in_fan_out",
            "kasa_config",
            "layer_replication",
            "loftq_config",
            "lora_bias",
            "lora_ga_config",
            "megatron_config",
            "modules_to_save",
            "monteclora_config",
            "rank_pattern",
            "target_parameters",
            "trainable_token_indices",
            "use_bdlora",
            "use_dora",
            "use_qalora",
        ],
        MustBeUnset,
    ),
];

/// Settings in the artifact.metadata of Stanford's ColBERT.
pub const COLBERT: KnownSettings = &[
    (
        &[
            "attend_to_mask_tokens",
            "doc_maxlen",
            "doc_token_id",
            "mask_punctuation",
            "query_maxlen",
            "query_token_id",
        ],
        Applied,
    ),
    (&["similarity"], OneOf(&["cosine"])),
    (&["interaction"], OneOf(&["colbert"])),
    (
        &[
            "accumsteps",
            "amp",
            "avoid_fork_if_possible",
            "bsize",
            "centroid_score_threshold",
            "checkpoint",
            "collection",
            "dim",
            "distillation_alpha",
            "doc_token",
            "epochs",
            "experiment",
            "gpus",
            "gpus_",
            "ignore_scores",
            "index_bsize",
            "index_location",
            "index_name",
            "index_path",
            "index_root",
            "kmeans_niters",
            "load_index_with_mmap",
            "lr",
            "maxsteps",
            "meta",
            "model_name",
            "name",
            "nbits",
            "ncells",
            "ndocs",
            "nprobe",
            "nranks",
            "num_partitions_max",
            "nway",
            "overwrite",
            "partitions",
            "pool_factor",
            "queries",
            "query_token",
            "rank",
            "relu",
            "reranker",
            "resume",
            "root",
            "save_every",
            "shuffle",
            "total_visible_gpus",
            "triples",
            "use_ib_negatives",
            "warmup",
            "warmup_bert",
        ],
        WithoutEffect,
    ),
];

/// Name prefixes of tensors that the libraries ignore as well, for one purpose or (`None`) for any: constants that the
/// code contains anyway, and heads for tasks that are not run here.
pub const IGNORED_TENSORS: &[(&str, Option<LoadPurpose>)] = &[
    ("embeddings.position_ids", None),
    ("embeddings.token_type_ids", None),
    ("pooler.dense.", None),
    // Heads for masked language modelling and next-sentence prediction.
    ("cls.", None),
    ("lm_head.", None),
    ("decoder.", None),
    ("qa_outputs.", None),
    ("classifier.", Some(LoadPurpose::Vectors)),
    ("head.", Some(LoadPurpose::Vectors)),
];

/// JSON files that are not read: other forms of the same weights and tokens, and records of training.
pub const OTHER_JSON: &[&str] = &[
    "all_results.json",
    "chat_template.json",
    "data_config.json",
    "eval_results.json",
    "generation_config.json",
    "onnx_config.json",
    "ort_config.json",
    "pytorch_model.bin.index.json",
    "quantize_config.json",
    "train_results.json",
    "trainer_state.json",
    "training.json",
    "vocab.json",
];
