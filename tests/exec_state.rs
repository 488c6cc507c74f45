//! A fresh process has what a forked one would have: globals and their identity, the program's modules as they were
//! changed, patched libraries, locks, open files, handlers, settings. Compared with a plain fork, line by line. Fails
//! when something is silently other than there.

use forkguard_testkit::{exec_state_pieces, python_with_packages, same_as_forked};

fn same(piece: &str) {
    same_as_forked(python_with_packages("exec_state.py").arg(piece));
}

exec_state_pieces!(same);
