//! The manual page: what the arguments say of themselves, and what they do not.

use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::trouble::{Ended, Trouble, print, reason};

/// Files, environment, exit codes: everything that is not an argument.
const REST: &str = include_str!("manual.roff");

/// Prints the page, as `man` reads it.
pub fn print_manual() -> Ended {
    let page =
        page().map_err(|error| Trouble::new(1, format!("no manual page: {}", reason(&error))))?;
    print(&String::from_utf8_lossy(&page))
}

fn page() -> io::Result<Vec<u8>> {
    let mut command = Arguments::command();
    // Gives the subcommands the name that they are called by.
    command.build();
    let version = command.get_version().unwrap_or_default();
    let title = format!(".TH FORKGUARD 1 \"\" \"forkguard {version}\" \"User Commands\"\n");
    let mut page = title.into_bytes();
    Man::new(command.clone()).render_name_section(&mut page)?;
    page.extend(b".SH SYNOPSIS\n.B forkguard\n.I COMMAND\n[\\fIOPTIONS\\fR] ...\n");
    page.extend(DESCRIPTION.as_bytes());
    page.extend(b".SH COMMANDS\n");
    for subcommand in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        describe(subcommand, &mut page)?;
    }
    page.extend(REST.as_bytes());
    Ok(page)
}

const DESCRIPTION: &str = ".SH DESCRIPTION
A process initialises CUDA; it forks; the child touches CUDA. The driver refuses, or the framework refuses, or the child
hangs.
.B forkguard
runs a program with a library preloaded that tells who initialised CUDA, where the fork was and what to do, or makes the
program work as it is. A program that does nothing wrong is not told a word.
";

/// A subcommand's usage, what it does, and its options.
fn describe(subcommand: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let mut usage = subcommand.clone().render_usage().to_string();
    usage = usage.replace("Usage: ", "").replace('-', "\\-");
    let about = subcommand.get_about().map(ToString::to_string);
    page.extend(format!(".SS {usage}\n{}.\n", about.unwrap_or_default()).into_bytes());
    let mut options = Vec::new();
    let plain = subcommand.clone().mut_args(|argument| {
        let is_help = argument.get_id() == "help";
        argument.hide(is_help)
    });
    Man::new(plain).render_options_section(&mut options)?;
    // All but the section's heading, and what every piece of a page begins with.
    let options = String::from_utf8_lossy(&options);
    if let Some((_, options)) = options.split_once(".SH OPTIONS\n") {
        page.extend(options.as_bytes());
    }
    Ok(())
}
