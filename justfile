# Recipes for people who work on knockon; `just` lists them.

default:
    @just --list

# The default scenario: three embedders at a contract renewal desk
run scenario="scenarios/renewal_desk.yaml":
    cargo run --release -- run {{scenario}}

# Everything that CI runs
ci:
    .ci/run

test:
    cargo test --profile ci --all-features

lint:
    cargo fmt --check
    cargo clippy --all-targets --all-features -- -D warnings

# The guide as a book, in target/book (needs mdbook)
book:
    mdbook build docs

bench name="kernel":
    cargo bench --bench {{name}}

# Renew what is generated and committed
generate:
    cargo run --release -- synth contracts --contracts 40 --seed 1 --difficulty 0.3 --out scenarios/renewal_desk
    cargo run --release -- synth ledger --vendors 40 --customers 40 --seed 1 --difficulty 0.4 --out scenarios/ledger
    cargo run --release -- schema > scenarios/scenario.schema.json
    cargo run --release -- defaults > docs/src/defaults.md
    cargo run --release -- run scenarios/renewal_desk.yaml --out reports/sample

# Licences and advisories of the dependencies (needs cargo-deny)
deny:
    cargo deny check
