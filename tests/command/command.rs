//! The `forkguard` command, as people use it: one module a scenario.

mod completions;
mod explain_groups;
mod explain_input;
mod explain_symbols;
mod explain_text;
mod manual;
mod python_script;
mod recorded;
mod run;
