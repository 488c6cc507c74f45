//! What may be written on a command line, and the help that says so.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use clap_complete::Shell;

/// Names who initialised CUDA, who forked and who used it
#[derive(Parser)]
#[command(name = "forkguard", version, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub subcommand: Subcommand,
}

#[derive(clap::Subcommand)]
pub enum Subcommand {
    /// Show the processes that have initialised CUDA, and those forked from them
    Ps(Ps),
    /// Run a program under the guard
    Run(Run),
    /// Run a program and tell who initialised CUDA, where, and by which imports
    Trace(Trace),
    /// Run a program and fail if it initialises CUDA, also without a GPU
    Check(Check),
    /// Show recorded events: who initialised CUDA, who forked, who used it, and what to do
    Explain(Explain),
    /// Tell whether the guard is effective: on this machine, in a process, for a program
    Doctor(Doctor),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    #[command(hide = true)]
    Manual,
}

/// What happens when a forked child uses CUDA: the words of `FORKGUARD_POLICY`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    Abort,
    Exec,
    Revive,
    Cpu,
    Warn,
    Off,
}

impl Policy {
    /// The variable's value.
    pub fn chain(policies: &[Self]) -> String {
        let mut words: Vec<String> = Vec::new();
        for policy in policies.iter().filter_map(Self::to_possible_value) {
            // The library takes each once.
            if !words.iter().any(|word| word == policy.get_name()) {
                words.push(policy.get_name().to_owned());
            }
        }
        words.join(",")
    }
}

/// A program and its arguments.
#[derive(Args)]
pub struct Program {
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    pub words: Vec<OsString>,
}

/// Where the guard's library is.
#[derive(Args)]
pub struct Library {
    /// The guard's library, where it is not the one that came with this command
    #[arg(long = "library", value_name = "FILE")]
    pub path: Option<PathBuf>,
}

#[derive(Args)]
pub struct Ps {
    /// Print one JSON document, and with --watch one a line
    #[arg(long)]
    pub json: bool,
    /// Look again every so many seconds, until interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2")]
    #[arg(value_parser = crate::ps::seconds)]
    pub watch: Option<Duration>,
}

#[derive(Args)]
pub struct Run {
    /// What happens when a forked child uses CUDA; of a comma list the first that can serve
    #[arg(short, long, value_enum, value_delimiter = ',')]
    pub policy: Vec<Policy>,
    /// Where JSON events go: a path, fd:N, or stderr; text:FILE: where the text goes, too
    #[arg(short, long, value_name = "FILE")]
    pub report: Option<OsString>,
    /// Tell more: once, what was done for which child; twice, the first use of each function
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    #[command(flatten)]
    pub library: Library,
    #[command(flatten)]
    pub program: Program,
}

#[derive(Args)]
pub struct Doctor {
    /// A process to look at
    #[arg(value_name = "PID", value_parser = crate::doctor::pid)]
    pub pid: Option<i32>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub library: Library,
    /// A program to look at; it is not run
    #[arg(last = true, value_name = "CMD", conflicts_with = "pid")]
    pub words: Vec<OsString>,
}

#[derive(Args)]
pub struct Explain {
    /// The events that a report file holds (run --report FILE); - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write a page with the processes drawn over time; - is standard output
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Show every frame, folding none away
    #[arg(long)]
    pub full: bool,
    /// Show no lines of the program's source
    #[arg(long)]
    pub no_source: bool,
    /// Look for the program's files below this folder (the file system of its container)
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

#[derive(Args)]
#[command(
    after_help = "It ends as the program does: with its exit code, or 128 and the number of the \
                        signal that killed it."
)]
pub struct Trace {
    /// Tell it as JSON, one object
    #[arg(long)]
    pub json: bool,
    /// Where it is told, in place of standard error
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub library: Library,
    #[command(flatten)]
    pub program: Program,
}

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0, CUDA was left alone; 1, the program or what it started \
                        initialised it or tried to; 2, nothing can be said. Where there is no driver the \
                        program is given one that has no device."
)]
pub struct Check {
    /// Say nothing where CUDA was left alone
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub library: Library,
    #[command(flatten)]
    pub program: Program,
}
