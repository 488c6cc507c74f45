//! `forkguard completions`, made of the arguments themselves.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::trouble::{Ended, print};

/// Prints the completions of `shell`.
pub fn print_completions(shell: Shell) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "forkguard", &mut script);
    print(&String::from_utf8_lossy(&script))
}
