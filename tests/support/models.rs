//! Models in the environment of the test program.

use std::path::PathBuf;

use knockon::Environment;
use knockon::embed::bert::SimilarityMapper;
use knockon::embed::{
    self, CrossEncoderSpec, Embedder, HttpEmbedder, HttpEmbedderSpec, ModelSpec, PairScorer,
    SimilarityMapSpec, model_paths,
};
use knockon::read::{ChatEndpoint, ChatEndpointSpec};

pub fn open(spec: &ModelSpec) -> anyhow::Result<Box<dyn Embedder>> {
    embed::open(spec, &Environment::from_process())
}

pub fn open_cross_encoder(spec: &CrossEncoderSpec) -> anyhow::Result<Box<dyn PairScorer>> {
    embed::open_cross_encoder(spec, &Environment::from_process())
}

pub fn open_max_sim(spec: &ModelSpec) -> anyhow::Result<Box<dyn PairScorer>> {
    embed::open_max_sim(spec, &Environment::from_process())
}

pub fn open_maps(spec: &ModelSpec, tokens: usize) -> anyhow::Result<SimilarityMapper> {
    embed::open_maps(spec, tokens, &Environment::from_process())
}

pub fn open_similarity_map(spec: &SimilarityMapSpec) -> anyhow::Result<Box<dyn PairScorer>> {
    embed::open_similarity_map(spec, &Environment::from_process())
}

pub fn http_embedder(spec: HttpEmbedderSpec) -> anyhow::Result<HttpEmbedder> {
    HttpEmbedder::new(spec, &Environment::from_process())
}

pub fn chat_endpoint(spec: ChatEndpointSpec) -> anyhow::Result<ChatEndpoint> {
    ChatEndpoint::new(spec, &Environment::from_process())
}

pub fn pulled_model_dir(name: &str) -> Option<PathBuf> {
    model_paths::pulled_model_dir(name, &Environment::from_process())
}

pub fn int8_model_dir(name: &str) -> anyhow::Result<Option<PathBuf>> {
    model_paths::int8_model_dir(name, &Environment::from_process())
}

pub fn reader_file(model: &str) -> anyhow::Result<PathBuf> {
    model_paths::reader_file(model, &Environment::from_process())
}
