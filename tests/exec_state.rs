//! A fresh process has what a forked one would have: globals and their identity, the program's modules as they were
//! changed, patched libraries, locks, open files, handlers, settings. Compared with a plain fork, line by line. Fails
//! when something is silently other than there.

use forkguard_testkit::python_with_packages;

fn same_as_forked(piece: &str) {
    let program = python_with_packages("exec_state.py").arg(piece);
    let forked = program.clone().bare().run();
    let fresh = program.policy("exec,abort").run();
    fresh.assert_silent();
    let line = |text: &str| text.trim_end().strip_suffix("init 0").map(str::to_owned);
    assert!(forked.stdout.ends_with("init 3\n"), "{}", forked.story());
    assert_eq!(
        line(&fresh.stdout).as_deref(),
        forked.stdout.trim_end().strip_suffix("init 3"),
        "{}\n--- forked\n{}",
        fresh.story(),
        forked.story()
    );
}

macro_rules! pieces {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            same_as_forked(stringify!($name));
        }
    )*};
}

pieces!(
    module_globals thread_locks open_file context_variable logging_configuration patched_library patched_classes main_classes replaced_function signal_handler
    process_settings interpreter_settings identity threads main_dunders not_used_not_missed
);
