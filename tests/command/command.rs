//! The `forkguard` command, as people use it: one module a scenario.

mod explain_groups;
mod explain_input;
mod explain_symbols;
mod explain_text;
mod recorded;
mod run;
