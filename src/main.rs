//! The command `ostiary`.

fn main() -> std::process::ExitCode {
    ostiary::cli::main()
}
