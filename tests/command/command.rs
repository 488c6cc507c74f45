//! The `forkguard` command, as people use it: one module a scenario.

mod check_verdicts;
mod check_without_driver;
mod completions;
mod explain_groups;
mod explain_input;
mod explain_symbols;
mod explain_text;
mod manual;
mod python_script;
mod recorded;
mod run;
mod stand_in;
mod trace_ends;
mod trace_imports;
mod trace_json;
mod trace_processes;
mod watching;
