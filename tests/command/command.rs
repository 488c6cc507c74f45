//! The `forkguard` command, as people use it: one module a scenario.

mod run;
