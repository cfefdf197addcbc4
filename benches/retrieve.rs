//! Top 10 of 100,000 passages: dense search (384 dimensions) for 64 queries and for one.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use knockon::embed::EmbeddingVectors;
use knockon::retrieve::DenseIndex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const DIM: usize = 384;

fn random_vectors(rng: &mut ChaCha8Rng, rows: usize) -> EmbeddingVectors {
    let mut data: Vec<f32> = (0..rows * DIM).map(|_| rng.random_range(-1.0..1.0)).collect();
    for row in data.chunks_exact_mut(DIM) {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        row.iter_mut().for_each(|x| *x /= length);
    }
    EmbeddingVectors { dim: DIM, data }
}

fn dense(criterion: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let index = DenseIndex::new(random_vectors(&mut rng, 100_000)).unwrap();
    let queries = random_vectors(&mut rng, 64);
    let single = EmbeddingVectors { dim: DIM, data: queries.row(0).to_vec() };
    let mut group = criterion.benchmark_group("top 10 of 100,000 x 384");
    group.sample_size(20);
    for (name, queries) in [("64 queries", &queries), ("1 query", &single)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(index.search(queries, 10, &|_| {}).unwrap()));
        });
    }
    group.finish();
}

criterion_group!(benches, dense);
criterion_main!(benches);
