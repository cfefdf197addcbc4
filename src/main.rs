//! The `knockon` command. All work is done in the library; this file only starts it.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Chosen because compiling a run allocates many small rows on all threads at once.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    knockon::cli::main()
}
