//! A fresh process has what a forked one would have: globals and their identity, the program's modules as they were
//! changed, patched libraries, locks, open files, handlers, settings. Compared with a plain fork, line by line. Fails
//! when something is silently other than there.

use forkguard_testkit::{python_with_packages, same_as_forked};

macro_rules! pieces {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            same_as_forked(python_with_packages("exec_state.py").arg(stringify!($name)));
        }
    )*};
}

pieces!(
    module_globals thread_locks open_file context_variable logging_configuration patched_library patched_classes main_classes replaced_function signal_handler
    other_handler
    process_settings interpreter_settings identity threads main_dunders not_used_not_missed
);
