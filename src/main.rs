//! The `knockon` command. All work is in the library; this file only starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    knockon::cli::main()
}
