#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    pub passage: u32,
    pub score: f32,
}
pub type Ranking = Vec<Hit>;
pub struct Request<'a> {
    pub query: &'a str,
    pub candidates: Option<&'a [u32]>,
}
pub trait Retriever: Send + Sync {
    fn search(
        &self,
        requests: &[Request],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<Ranking>>;
}
