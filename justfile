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

# Type errors after each save (needs watchexec)
watch:
    watchexec --exts rs,toml -- cargo check --all-features --tests

# Tests, each in a process of its own (needs cargo-nextest)
nextest *filters:
    cargo nextest run --cargo-profile ci --all-features {{filters}}

# Changed snapshots, to accept or refuse one by one (needs cargo-insta)
insta *filters="scenario_errors":
    cargo insta test --review --all-features --test all -- {{filters}}

# Which lines no test runs, as a page (needs cargo-llvm-cov)
coverage:
    cargo llvm-cov --all-features --html --open

# What a release build spends its time on, as a page in target/cargo-timings
timings:
    cargo build --release --locked --timings

# Format and lints, without warnings
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
    cargo run --profile ci --all-features -- synth contracts --contracts 40 --seed 1 --difficulty 0.3 --out scenarios/renewal_desk --force
    cargo run --profile ci --all-features -- synth ledger --vendors 40 --customers 40 --seed 1 --difficulty 0.4 --out scenarios/ledger --force
    cargo run --profile ci --all-features -- schema > scenarios/scenario.schema.json
    cargo run --profile ci --all-features -- defaults > docs/src/defaults.md
    cargo run --profile ci --all-features -- columns > reports/README.md
    cargo run --profile ci --all-features -- run scenarios/renewal_desk.yaml --out reports/sample

# Renew every figure that the README and the guide quote, and all that `generate` makes
figures: generate
    KNOCKON_DOCS=all KNOCKON_FIGURES=renew cargo test --profile ci --all-features --test all every_figure_is_fresh -- --nocapture
    KNOCKON_DOCS=all KNOCKON_FIGURES=renew cargo test --profile ci --all-features --test all measured_anew -- --nocapture

# What tuning BASE for precision costs: near-misses of TEXTS, tuning beside PAIRS, with a control, and the scorecard
tradeoff texts pairs base="all-MiniLM-L6-v2" out="reports/tradeoff" share="0.5" steps="150" seed="42":
    cargo run --release -- perturb {{texts}} --per-kind 1500 --seed 1 --out {{out}}/near_misses.csv --force
    cargo run --release -- tune --base {{base}} --method lora --structural {{out}}/near_misses.csv --rehearsal {{pairs}} \
        --share {{share}} --steps {{steps}} --seed {{seed}} --out {{out}}/tuned
    cargo run --release -- probe --embedders {{base}},{{out}}/tuned/control,{{out}}/tuned/structural \
        --pipeline scenarios/renewal_desk.yaml --pipeline scenarios/invoice_match.yaml --out {{out}}

# Licences and advisories of the dependencies (needs cargo-deny)
deny:
    cargo deny check

# How easy the code is to read and to extend, in numbers beside their goals (needs python3)
house *args:
    @python3 scripts/house.py {{args}}

# What two builds write for every shipped scenario, compared byte by byte
compare old new *scenarios:
    @scripts/compare_csv.sh {{old}} {{new}} {{scenarios}}
