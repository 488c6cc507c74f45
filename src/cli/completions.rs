//! `forkguard completions` and the manual page, both made of the arguments themselves.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::trouble::{Ended, Trouble, print, reason};

/// Prints the completions of `shell`.
pub fn print_completions(shell: Shell) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "forkguard", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Prints the manual page, as `man` reads it.
pub fn manual() -> Ended {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command())
        .render(&mut page)
        .map_err(|error| Trouble::new(1, format!("no manual page: {}", reason(&error))))?;
    print(&String::from_utf8_lossy(&page))
}
