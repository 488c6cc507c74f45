//! The `forkguard` command, as people use it: one module a scenario.

mod check_verdicts;
mod check_without_driver;
mod completions;
mod explain_groups;
mod explain_input;
mod explain_page;
mod explain_symbols;
mod explain_text;
mod manual;
mod programs;
mod ps;
mod python_script;
mod recorded;
mod run;
mod run_locked;
mod run_place;
mod run_python;
mod run_terminal;
mod run_warnings;
mod stand_in;
mod trace_ends;
mod trace_imports;
mod trace_input;
mod trace_json;
mod trace_processes;
mod watching;
