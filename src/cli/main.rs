//! The `forkguard` command: people should not have to know about `LD_PRELOAD`.
//!
//! | file | what it is for |
//! |---|---|
//! | [`arguments`] | what may be written on a command line |
//! | [`library`] | where the guard's library lies |
//! | [`preload`] | `LD_PRELOAD`, taken apart and put together |
//! | [`program`] | what a command line comes to, and whether the guard gets into it |
//! | [`elf`] | what an executable says of itself |
//! | [`launch`] | a program started under the guard |
//! | [`inherited`] | what it is to have of what this command was started with |
//! | [`folder`] | a folder of this command's own |
//! | [`watch`] | a program run to its end, and what it told |
//! | [`story`] | what that says, process by process |
//! | [`inside`] | questions that only a process with the guard in it can answer |
//! | [`event`] | the guard's events, as they are read |
//! | [`time`] | times as events have them |
//! | [`trouble`] | why a command could not do what it was asked, and its exit code |
//! | [`run`], … | one file or folder a subcommand |
//!
//! It shares no code with the library's hooks: a `fork` of theirs would be this command's own.

#![cfg_attr(
    fuzzing,
    allow(
        dead_code,
        reason = "there it is a library, of which the readers alone are used"
    )
)]

mod arguments;
mod check;
mod completions;
mod doctor;
mod elf;
mod event;
mod explain;
mod folder;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod inherited;
mod inside;
mod launch;
mod library;
mod manual;
mod preload;
mod program;
mod ps;
mod run;
mod story;
mod time;
mod trace;
mod trouble;
mod watch;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Subcommand};
use trouble::{Ended, USAGE};

fn main() -> ExitCode {
    if let Some(question) = inside::Question::asked(std::env::args_os()) {
        return inside::answers::answer(question).unwrap_or_else(trouble::Trouble::tell);
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => return tell(&told).unwrap_or_else(trouble::Trouble::tell),
    };
    let ended = match arguments.subcommand {
        Subcommand::Ps(ps) => ps::run(&ps),
        Subcommand::Run(run) => run::run(&run),
        Subcommand::Trace(arguments) => trace::trace(&arguments),
        Subcommand::Check(arguments) => check::check(&arguments),
        Subcommand::Explain(arguments) => explain::explain(&arguments),
        Subcommand::Doctor(arguments) => doctor::doctor(&arguments),
        Subcommand::Completions { shell } => completions::print_completions(shell),
        Subcommand::Manual => manual::print_manual(),
    };
    ended.unwrap_or_else(trouble::Trouble::tell)
}

/// Prints what clap has to tell: help, the version, or what is wrong with the command line.
fn tell(told: &clap::Error) -> Ended {
    match told.print() {
        // A mistake is one, whoever reads of it.
        _ if told.use_stderr() => {}
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            return Err(trouble::not_printed(&error));
        }
        _ => {}
    }
    Ok(ExitCode::from(
        u8::try_from(told.exit_code()).unwrap_or(USAGE),
    ))
}
